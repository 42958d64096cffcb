using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Output;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Commands;

/// <summary><c>purge</c>: removes messages that every server is done with, and makes the spool's file smaller.</summary>
internal sealed class PurgeCommand
{
    private const string Details =
        """
        Removes messages that are delivered, cancelled or expired at every server, when the last of that is older than
        --older-than: never one that a server still waits for, that is held or rejected, or that no server was given yet. What
        is removed can neither be replayed nor asked for any more. Freed space goes back to the disk. On a terminal it asks
        first.

        Examples:
          quickq-spool purge --older-than 1d --dry-run
          quickq-spool purge --older-than 0s --yes

        Exit codes: 0 done, also when nothing was to remove; 64 usage error; 65 not a spool; 66 no such spool; 74 input/output
        error; 75 locked too long or not confirmed; 77 no permission; 78 spool of a newer version.
        """;

    private readonly Option _olderThan = Options.Value("--older-than", "TIME", "only what was settled before this time; must be given");
    private readonly Option _dryRun = Options.Flag("--dry-run", "say how many messages match, change nothing");
    private readonly Option _yes = Options.Flag("--yes", "do not ask, however many they are");
    private readonly Option _spool = Options.Spool();

    public static Subcommand Create()
    {
        var purge = new PurgeCommand();
        var syntax = new Command("purge", "Remove messages that every server is done with") { Options = { purge._olderThan, purge._dryRun, purge._yes, purge._spool } };
        return new Subcommand(syntax, Details, purge.Run);
    }

    private ExitCode Run(ParsedArguments typed, StandardStreams streams)
    {
        var before = Values.Instant("--older-than", typed.ValueOf(_olderThan), streams.Clock)
            ?? throw CommandException.WrongUse("purge needs an age", "quickq-spool purge --older-than 1d; 0s means everything that is settled");
        using var spool = SpoolAdmin.Open(SpoolPath.Resolve(typed.ValueOf(_spool)), Caller.Of(typed));
        if (typed.Has(_dryRun))
        {
            Tell(streams, spool.Purge(before, dryRun: true), dryRun: true);
            return ExitCode.Done;
        }

        if (!typed.Has(_yes) && streams.InputIsTerminal && spool.Purge(before, dryRun: true) is { Messages: > 0 } plan
            && !ConfirmationPrompt.IsAnsweredYes(streams, $"remove {Printable.Count(plan.Messages, "settled message")} for good?"))
        {
            return ExitCode.TryLater;
        }

        Tell(streams, spool.Purge(before, dryRun: false), dryRun: false);
        return ExitCode.Done;
    }

    private static void Tell(StandardStreams streams, PurgeReport report, bool dryRun)
    {
        var shrunk = report.GivenBackBytes > 0 ? $"; {ByteSize.Describe(report.GivenBackBytes)} went back to the disk" : "";
        streams.Output.Write(report.Messages == 0
            ? $"nothing to remove{shrunk}\n"
            : $"{Printable.Count(report.Messages, "message")} {(dryRun ? "would be" : report.Messages == 1 ? "is" : "are")} removed{shrunk}\n");
    }
}
