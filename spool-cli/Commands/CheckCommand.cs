using System.CommandLine;
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
        Looks at SQLite's version, the file system, the permissions, the integrity of the file, the counters against the rows
        that they count, the free space and the agent. Nothing is changed. It reads the whole spool: a large one takes minutes,
        and its write-ahead log grows meanwhile.

        Warnings do not change the exit code: the agent does not run, the disk is nearly full, the permissions are unusual.

        Example:
          quickq-spool check || echo "the spool of $(hostname) is damaged" | mail -s quickq operators

        Exit codes: 0 the spool is sound; 64 wrong use; 65 not a spool; 66 no such spool; 74 damaged, or input/output error; 77
        no permission; 78 spool of a newer version.
        """;

    private readonly Option<bool> _json = Options.Json("for programs: one JSON object (docs/cli.md)");
    private readonly Option<string?> _spool = Options.Spool();

    public static Verb Create()
    {
        var check = new CheckCommand();
        return new Verb(new Command("check", "looks whether the spool is sound") { check._json, check._spool }, Details, check.Run);
    }

    private ExitCode Run(ParseResult typed, StandardStreams streams)
    {
        var path = SpoolPath.Resolve(typed.GetValue(_spool));
        var findings = SpoolCheck.Run(path);
        if (typed.GetValue(_json))
        {
            Json.WriteLine(streams.Output, CheckJson.From(path, findings));
        }
        else
        {
            var table = new TextTable("CHECK", "LEVEL", "FINDING");
            foreach (var finding in findings)
            {
                table.Add(finding.Check, new Cell(CheckJson.WordFor(finding.Level), ColourOf(finding.Level)), Printable.Text(finding.Text));
            }

            table.Write(streams.Output, Palette.For(streams.OutputIsTerminal));
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
