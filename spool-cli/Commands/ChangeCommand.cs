using System.CommandLine;
using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Output;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Commands;

/// <summary><c>retry</c>, <c>hold</c>, <c>release</c>, <c>cancel</c>: an operator changes the state of messages, by id or by the filters of <c>list</c>.</summary>
internal sealed class ChangeCommand
{
    private readonly OperatorAct _act;
    private readonly Argument<string[]> _ids = MessageIds.Argument("ID...", "the messages; or choose them by the options below");
    private readonly FilterOptions _filter = new();
    private readonly Option<bool> _all = Options.Flag("--all", "every message that the verb can change");
    private readonly Option<bool> _dryRun = Options.Flag("--dry-run", "only say how many it would be");
    private readonly Option<bool> _yes = Options.Flag("--yes", "do not ask, however many they are");
    private readonly Option<string?> _spool = Options.Spool();

    private ChangeCommand(OperatorAct act) => _act = act;

    public static Verb Create(OperatorAct act)
    {
        var change = new ChangeCommand(act);
        var syntax = new Command(act.Name, Summary(act)) { change._ids };
        change._filter.AddTo(syntax);
        foreach (var option in (ReadOnlySpan<Option>)[change._all, change._dryRun, change._yes, change._spool])
        {
            syntax.Options.Add(option);
        }

        return new Verb(syntax, Details(act), change.Run);
    }

    private static string Summary(OperatorAct act) => act.Name switch
    {
        "retry" => "makes deferred, rejected and expired messages due now",
        "hold" => "holds undelivered messages back until they are released",
        "release" => "makes held messages due again",
        _ => "gives undelivered messages up",
    };

    private static string Details(OperatorAct act) =>
        $"""
        Changes what is {string.Join(" or ", act.From)} to {act.To}; other states are left as they are and counted. With --server only there.
        {(act == OperatorAct.Retry ? "A message that waits because its exchange is suspended makes the agent probe the exchange at once.\n" : "")}A message that a server confirms meanwhile is delivered all the same. On a terminal it asks first when it
        would change many.

        Examples:
          quickq-spool {act.Name} 0193a1f2
          quickq-spool {act.Name} --server mq1 --state {act.From[0]} --dry-run
          quickq-spool {act.Name} --topic 'geo.goes.#' --since 2h --yes

        Exit codes: 0 done, also when nothing was to change; 64 wrong use; 65 not a spool; 66 no such spool, message or server; 74
        input/output error; 75 locked too long or not confirmed; 77 no permission; 78 spool of a newer version.
        """;

    private ExitCode Run(ParseResult typed, StandardStreams streams)
    {
        var path = SpoolPath.Resolve(typed.GetValue(_spool));
        var filter = _filter.Read(typed, streams.Clock, int.MaxValue - 1);
        var ids = ResolveIds(typed, path, filter);
        using var spool = SpoolOperator.Open(path);
        OperatorReport Apply(bool dryRun) => ids.Count > 0 ? spool.Apply(_act, ids, filter.Server, dryRun) : spool.Apply(_act, filter, dryRun);

        if (typed.GetValue(_dryRun))
        {
            Tell(streams, Apply(dryRun: true), "would be");
            return ExitCode.Done;
        }

        if (ids.Count == 0 && !typed.GetValue(_yes) && streams.InputIsTerminal && !Confirmed(streams, Apply(dryRun: true)))
        {
            streams.Error.WriteLine("quickq-spool: nothing was changed");
            return ExitCode.TryLater;
        }

        Tell(streams, Apply(dryRun: false), "are now");
        return ExitCode.Done;
    }

    private List<string> ResolveIds(ParseResult typed, string path, MessageFilter filter)
    {
        var given = typed.GetValue(_ids) ?? [];
        var byFilter = filter.State is not null || filter.TopicPattern is not null || filter.Since is not null || filter.Until is not null || typed.GetValue(_all);
        if (given.Length > 0 && byFilter)
        {
            throw CommandException.WrongUse("either IDs or a filter, not both", $"see quickq-spool {_act.Name} --help");
        }

        if (given.Length == 0 && !byFilter && filter.Server is null)
        {
            throw CommandException.WrongUse($"{_act.Name} needs an ID or a filter", $"--all means every message; see quickq-spool {_act.Name} --help");
        }

        using var reader = SpoolReader.Open(path);
        ServerNames.Require(reader, filter.Server);
        return [.. given.Select(id => MessageIds.Resolve(reader, id)).Distinct(StringComparer.Ordinal)];
    }

    private bool Confirmed(StandardStreams streams, OperatorReport report)
    {
        if (report.Messages <= 1)
        {
            return true;
        }

        streams.Error.WriteLine($"{_act.Name} would change {Printable.Count(report.Messages, "message")} to {_act.To}. Go on? [y/N]");
        return streams.ReadAnswer() is "y" or "Y" or "yes";
    }

    private void Tell(StandardStreams streams, OperatorReport report, string verb)
    {
        streams.Output.Write($"{Printable.Count(report.Messages, "message")} {verb} {_act.To} ({Printable.Count(report.Changed)} at a server each)\n");
        if (report.Probed > 0)
        {
            streams.Output.Write($"{Printable.Count(report.Probed)} wait for a suspended exchange: it is probed\n");
        }

        foreach (var (state, rows) in report.Left.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            streams.Output.Write($"{Printable.Count(rows)} left as they are: {state}\n");
        }
    }
}
