using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Output;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Commands;

/// <summary><c>replay</c>: delivered messages that are still in the spool go to one server again; a new server gets what came before it.</summary>
internal sealed class ReplayCommand
{
    private const string Details =
        """
        Makes what the server was sent due again, as far as it is still in the spool, and gives it the messages that it never
        had because it was configured later. --since and --until go by the time when this server confirmed a message, and for
        one that it never had by the time of acceptance: ISO 8601 (UTC unless it names a zone) or a duration back from now.
        Without them everything is replayed.

        Other servers get nothing again. A message is sent with its old ID, so that a consumer can tell it from a new one.
        Undelivered, cancelled and expired messages are not touched. On a terminal it asks first.

        Examples:
          quickq-spool replay --server mq2 --since 2h --dry-run
          quickq-spool replay --server mq2 --since 2026-01-02T03:00:00Z --until 2026-01-02T05:00:00Z
          quickq-spool replay --server new-server --yes

        Exit codes: 0 done, also when nothing was to replay; 64 usage error; 65 not a spool; 66 no such spool or server; 74
        input/output error; 75 locked too long or not confirmed; 77 no permission; 78 spool of a newer version.
        """;

    private readonly Option _server = Options.Value("--server", "NAME", "the server that gets the messages; must be given");
    private readonly Option _since = Options.Value("--since", "TIME", "only what was confirmed at this time or later");
    private readonly Option _until = Options.Value("--until", "TIME", "only what was confirmed before this time");
    private readonly Option _dryRun = Options.Flag("--dry-run", "say how many messages match, change nothing");
    private readonly Option _yes = Options.Flag("--yes", "do not ask, however many they are");
    private readonly Option _spool = Options.Spool();

    public static Subcommand Create()
    {
        var replay = new ReplayCommand();
        var syntax = new Command("replay", "Send delivered messages again, or fill a new server") { Options = { replay._server, replay._since, replay._until, replay._dryRun, replay._yes, replay._spool } };
        return new Subcommand(syntax, Details, replay.Run);
    }

    private ExitCode Run(ParsedArguments typed, StandardStreams streams)
    {
        var server = typed.ValueOf(_server) ?? throw CommandException.WrongUse("replay needs the server that gets the messages", "quickq-spool replay --server NAME");
        var since = Values.Instant("--since", typed.ValueOf(_since), streams.Clock);
        var until = Values.Instant("--until", typed.ValueOf(_until), streams.Clock);
        var path = SpoolPath.Resolve(typed.ValueOf(_spool));
        var active = IsActive(path, server);
        using var spool = SpoolAdmin.Open(path, Caller.Of(typed));
        ReplayReport Replay(bool dryRun) => spool.Replay(server, since, until, dryRun);

        if (typed.Has(_dryRun))
        {
            Tell(streams.Output, Replay(dryRun: true), server, dryRun: true);
            return ExitCode.Done;
        }

        if (!typed.Has(_yes) && streams.InputIsTerminal && Replay(dryRun: true) is var plan && plan.Again + plan.Created > 0
            && !ConfirmationPrompt.IsAnsweredYes(streams, $"replay {Printable.Count(plan.Again + plan.Created, "message")} to {server}?"))
        {
            return ExitCode.TryLater;
        }

        Tell(streams.Output, Replay(dryRun: false), server, dryRun: false);
        if (!active)
        {
            streams.Output.Flush();
            streams.Error.WriteLine($"quickq-spool: {server} is not in the agent's configuration: its messages wait until it is back there");
        }

        return ExitCode.Done;
    }

    private static bool IsActive(string path, string server)
    {
        using var reader = SpoolReader.Open(path);
        ServerNames.Require(reader, server);
        return reader.ReadOverview().Servers.Any(known => known.Active && string.Equals(known.Name, server, StringComparison.Ordinal));
    }

    private static void Tell(TextWriter output, ReplayReport report, string server, bool dryRun)
    {
        var messages = report.Again + report.Created;
        output.Write(messages == 0
            ? "nothing to replay\n"
            : $"{Printable.Count(messages, "message")} {(dryRun ? "would be" : messages == 1 ? "is" : "are")} due at {SafeText.OneLine(server)}: " +
              $"{Printable.Count(report.Again)} again, {Printable.Count(report.Created)} for the first time\n");
        if (report.Expired > 0)
        {
            output.Write($"left as they are: {Printable.Count(report.Expired)} over their time to live\n");
        }
    }
}
