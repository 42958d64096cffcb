using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Output;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Commands;

/// <summary><c>retry</c>, <c>hold</c>, <c>release</c>, <c>cancel</c>: an operator changes the state of messages, by id or by the filters of <c>list</c>.</summary>
internal sealed class ChangeCommand
{
    private const int NoLimit = int.MaxValue - 1;

    private readonly AdminOperation _act;
    private readonly FilterOptions _filter = new("all");
    private readonly Option _all = Options.Flag("--all", "every message that the command can change");
    private readonly Option _dryRun = Options.Flag("--dry-run", "say how many messages match, change nothing");
    private readonly Option _yes = Options.Flag("--yes", "do not ask, however many they are");
    private readonly Option _spool = Options.Spool();

    private ChangeCommand(AdminOperation act) => _act = act;

    public static Subcommand Create(AdminOperation act)
    {
        var change = new ChangeCommand(act);
        var syntax = new Command(act.Name, Summary(act)) { Arguments = "[ID...]" };
        change._filter.AddTo(syntax);
        foreach (var option in (ReadOnlySpan<Option>)[change._all, change._dryRun, change._yes, change._spool])
        {
            syntax.Options.Add(option);
        }

        return new Subcommand(syntax, Details(act), change.Run);
    }

    private static string Summary(AdminOperation act) => act.Name switch
    {
        "retry" => "Make deferred, rejected and expired messages due now",
        "hold" => "Hold undelivered messages until they are released",
        "release" => "Make held messages due again",
        _ => "Stop delivering messages (cannot be undone)",
    };

    private static string Details(AdminOperation act) =>
        $"""
        Makes {Or(act.From)} deliveries {act.To}, and leaves all others as they are; a delivery
        is one message at one server. The messages are named by their IDs (any unique beginning will do), or chosen by the
        options, which must all hold; --server NAME alone means all of them at that server, --all at every server.
        {Remark(act)}
        Asks for confirmation on a terminal if more than one message matches; never asks in scripts.

        Examples:
          quickq-spool {act.Name} 0193a1f2
          quickq-spool {act.Name} --server mq1 --state {act.From[0]} --dry-run
          quickq-spool {act.Name} --topic 'geo.goes.#' --since 2h --yes

        Exit codes: 0 done, also when nothing was to change; 64 usage error; 65 not a spool; 66 no such spool, message or
        server; 74 input/output error; 75 locked too long or not confirmed; 77 no permission; 78 spool of a newer version.
        """;

    private static string Remark(AdminOperation act) => act.Name switch
    {
        "retry" =>
            """
            Attempts start at 0 again, and an expired message is sent without its time to live. Where a whole exchange is
            suspended, the agent probes it at once.
            """,
        "hold" =>
            """
            What is held stays in the spool until 'quickq-spool release'. A message that a server confirms meanwhile is
            delivered all the same.
            """,
        "release" => "They are sent in the order in which they were accepted.",
        _ =>
            """
            A cancelled message is not sent any more; there is no way back. One that a server confirms meanwhile is delivered
            all the same.
            """,
    };

    private static string Or(IReadOnlyList<string> states) => states.Count == 1 ? states[0] : $"{string.Join(", ", states.SkipLast(1))} or {states[^1]}";

    private ExitCode Run(ParsedArguments typed, StandardStreams streams)
    {
        var path = SpoolPath.Resolve(typed.ValueOf(_spool));
        var filter = _filter.Read(typed, streams.Clock, NoLimit);
        var ids = ResolveIds(typed, path, filter);
        using var spool = SpoolAdmin.Open(path, Caller.Of(typed));
        OperatorReport Apply(bool dryRun) => ids.Count > 0 ? spool.Apply(_act, ids, filter.Server, dryRun) : spool.Apply(_act, filter, dryRun);

        if (typed.Has(_dryRun))
        {
            Tell(streams, Apply(dryRun: true), dryRun: true);
            return ExitCode.Done;
        }

        if (ids.Count == 0 && !typed.Has(_yes) && streams.InputIsTerminal && Apply(dryRun: true) is { Messages: > 1 } plan
            && !ConfirmationPrompt.IsAnsweredYes(streams, $"{_act.Name} {Deliveries(plan)}?"))
        {
            return ExitCode.TryLater;
        }

        Tell(streams, Apply(dryRun: false), dryRun: false);
        return ExitCode.Done;
    }

    private List<string> ResolveIds(ParsedArguments typed, string path, MessageFilter filter)
    {
        var given = typed.Arguments;
        var byFilter = filter.State is not null || filter.TopicPattern is not null || filter.Since is not null || filter.Until is not null
            || filter.Limit != NoLimit || typed.Has(_all);
        if (given.Count > 0 && byFilter)
        {
            throw CommandException.WrongUse("either IDs or options that choose messages, not both", $"only --server goes with IDs; see quickq-spool {_act.Name} --help");
        }

        if (given.Count == 0 && !byFilter && filter.Server is null)
        {
            throw CommandException.WrongUse($"{_act.Name} needs IDs, or options that choose messages", $"--all means every message; see quickq-spool {_act.Name} --help");
        }

        using var reader = SpoolReader.Open(path);
        ServerNames.Require(reader, filter.Server);
        return [.. given.Select(id => MessageIds.Resolve(reader, id)).Distinct(StringComparer.Ordinal)];
    }

    private static string Deliveries(OperatorReport report) =>
        $"{Printable.Count(report.Changed, "delivery", "deliveries")} of {Printable.Count(report.Messages, "message")}";

    private void Tell(StandardStreams streams, OperatorReport report, bool dryRun)
    {
        var output = streams.Output;
        output.Write(report.Changed == 0 ? $"nothing to {_act.Name}\n" : $"{Deliveries(report)} {(dryRun ? "would be" : report.Changed == 1 ? "is now" : "are now")} {_act.To}\n");
        if (report.Probed > 0)
        {
            output.Write($"{Printable.Count(report.Probed, "delivery waits", "deliveries wait")} for a suspended exchange, which the agent {(dryRun ? "would probe" : "probes")} at once\n");
        }

        if (report.Unassigned > 0)
        {
            output.Write($"{Printable.Count(report.Unassigned, "message has", "messages have")} no delivery yet: no server was for it when it was accepted\n");
        }

        if (report.Left.Count > 0)
        {
            var left = report.Left.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => $"{Printable.Count(pair.Value)} {pair.Key}");
            output.Write($"left as they are: {string.Join(", ", left)}\n");
        }
    }
}
