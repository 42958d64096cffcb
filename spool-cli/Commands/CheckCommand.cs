using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Output;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Commands;

/// <summary><c>check</c>: whether the spool is sound, and what is around it as it should be.</summary>
internal sealed class CheckCommand
{
    private const string Details =
        """
        Looks at SQLite's version, processes that read without a pause, the file system, the permissions, the integrity of the
        file, the counters against the rows that they count, the free space and the agent. Nothing is changed. It reads the
        whole spool: a large one takes minutes, and its write-ahead log grows meanwhile.

        Warnings do not change the exit code: the agent is not running, the disk is nearly full, the permissions are unusual.

        --repair saves every message that can be read, and what became of it, from a damaged spool into a fresh one that takes
        its place; ids and the order of acceptance stay. A message comes over whole or not at all. Where it cannot be read
        whether a server has a message, it is sent there, perhaps again. The damaged files are kept beside the spool. It may
        run while the agent and producers do: they wait, and go on with the fresh spool. A sound spool is left as it is.
        The agent does the same by itself when it meets damage.

        Examples:
          quickq-spool check || echo "the spool of $(hostname) is damaged" | mail -s quickq operators
          quickq-spool check --repair

        Exit codes: 0 the spool is sound, or is now; 64 usage error; 65 not a spool; 66 no such spool; 74 damaged, or
        input/output error; 75 locked too long, or too little free space for the repair; 77 no permission; 78 spool of a newer version.
        """;

    private readonly Option _json = Options.Json("for programs: one JSON object (docs/cli.md)");
    private readonly Option _repair = Options.Flag("--repair", "save what can be read of a damaged spool into a fresh one");
    private readonly Option _spool = Options.Spool();

    public static Subcommand Create()
    {
        var check = new CheckCommand();
        return new Subcommand(new Command("check", "Check the spool's integrity") { Options = { check._repair, check._json, check._spool } }, Details, check.Run);
    }

    private ExitCode Run(ParsedArguments typed, StandardStreams streams)
    {
        var path = SpoolPath.Resolve(typed.ValueOf(_spool));
        var repaired = typed.Has(_repair) ? SpoolRepair.Run(path) : null;
        if (repaired is not null)
        {
            using var spool = SpoolAdmin.Open(path, Caller.Of(typed));
            spool.Record("check --repair", repaired.MessagesSaved);
        }

        var findings = SpoolCheck.Run(path);
        if (typed.Has(_json))
        {
            Json.WriteLine(streams.Output, CheckJson.From(path, findings, repaired));
        }
        else
        {
            if (typed.Has(_repair))
            {
                streams.Output.Write($"{SafeText.OneLine(RepairText.Of(repaired))}\n\n");
            }

            var table = new TextTable("CHECK", "LEVEL", "FINDING");
            foreach (var finding in findings)
            {
                table.Add(finding.Check, new Cell(CheckJson.WordFor(finding.Level), ColourOf(finding.Level)), finding.Text);
            }

            table.Write(streams.Output, AnsiColors.For(streams.OutputIsTerminal));
        }

        return findings.Any(finding => finding.Level == CheckLevel.Damaged) ? ExitCode.InputOutput : ExitCode.Done;
    }

    private static Colour ColourOf(CheckLevel level) => level switch
    {
        CheckLevel.Good => Colour.Good,
        CheckLevel.Warning => Colour.Warning,
        _ => Colour.Bad,
    };
}
