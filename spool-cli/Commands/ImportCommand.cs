using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Intake;
using Quickq.SpoolCli.Output;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Commands;

/// <summary><c>import</c>: stores the messages of an export, to be delivered to every server of this spool.</summary>
internal sealed class ImportCommand
{
    private const string Details =
        """
        Reads what export wrote, from standard input or --file, and stores it in that order, to be delivered to every server
        of this spool; what had been delivered before the export too. Ids are kept: what is in the spool already is not stored
        again, so that an import which was broken off is simply repeated. Time of acceptance and expiry are kept as well, and so are
        the servers that a message names: where this spool does not know one of them yet, the message waits for it.

        A line that cannot be stored ends the import with its number; all lines before it are stored. SIGTERM and SIGINT end
        it after the line that was read last.

        Examples:
          quickq-spool import --file spool.ndjson
          ssh other quickq-spool export --state pending | quickq-spool import

        Exit codes: 0 all stored, or there already; 64 usage error; 65 a line that is no message, a message that does not fit,
        the same id with other content; 66 no such file; 73 the spool cannot be made; 74 input/output error; 75 try later
        (full, locked, stopped by a signal); 77 no permission; 78 spool of a newer version.
        """;

    private readonly Option _file = Options.Value("--file", "F", "read from F ('-' for standard input)");
    private readonly Option _spool = Options.Spool();

    public static Subcommand Create()
    {
        var import = new ImportCommand();
        return new Subcommand(new Command("import", "Store messages that export wrote") { Options = { import._file, import._spool } }, Details, import.Run) { StoresMessages = true };
    }

    private ExitCode Run(ParsedArguments typed, StandardStreams streams)
    {
        var input = PayloadInput.Open(typed.ValueOf(_file), streams);
        using var stop = new StopSignal();
        var path = SpoolPath.Resolve(typed.ValueOf(_spool));
        using var writer = SpoolWriter.Open(path);
        writer.KeepsUnknownServers = true;
        var import = new MessageImport(writer);
        try
        {
            import.Run(input, stop);
        }
        finally
        {
            Record(typed, path, import.Stored);
        }

        writer.CheckpointIfAlone(isLast: true);
        streams.Output.Write($"{Printable.Count(import.Stored, "message")} stored, {Printable.Count(import.KnownBefore)} in the spool already\n");
        if (!stop.IsRaised)
        {
            return ExitCode.Done;
        }

        streams.Output.Flush();
        streams.Error.WriteLine($"quickq-spool: stopped by a signal after line {import.LineNumber}; repeat the import to go on");
        return ExitCode.TryLater;
    }

    /// <summary>What a line that cannot be stored leaves behind is a change too.</summary>
    private static void Record(ParsedArguments typed, string path, long stored)
    {
        if (stored > 0)
        {
            using var spool = SpoolAdmin.Open(path, Caller.Of(typed));
            spool.Record("import", stored);
        }
    }
}
