using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Output;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Commands;

/// <summary><c>export</c>: messages as one JSON object a line, oldest first, for <c>import</c> and other programs.</summary>
internal sealed class ExportCommand
{
    private const string Details =
        """
        One JSON object a line: id, exchange, routingKey, properties, createdAt, expiresAt, and body, or bodyBase64 for a
        body that is not UTF-8 text. Oldest first, the order in which import stores them. Nothing is changed in the spool.

        The options choose messages as for list; without any, all messages are exported, delivered ones that are still
        retained included: --state pending leaves those out.

        Examples:
          quickq-spool export > spool.ndjson
          quickq-spool export --server mq1 --state rejected --since 1d > rejected.ndjson
          quickq-spool export --state pending | ssh other quickq-spool import

        A message whose properties are not what docs/spool-format.md says (another program stored them) is named on standard
        error and skipped; the exit code is 74 then.

        Exit codes: 0 done, also when nothing fits; 64 usage error; 65 not a spool; 66 no such spool or server; 74 messages were
        skipped, or input/output error; 77 no permission; 78 spool of a newer version.
        """;

    private readonly FilterOptions _filter = new("all");
    private readonly Option _spool = Options.Spool();

    public static Subcommand Create()
    {
        var export = new ExportCommand();
        var syntax = new Command("export", "Write messages as one JSON object a line, for import");
        export._filter.AddTo(syntax);
        syntax.Options.Add(export._spool);
        return new Subcommand(syntax, Details, export.Run);
    }

    private ExitCode Run(ParsedArguments typed, StandardStreams streams)
    {
        var filter = _filter.Read(typed, streams.Clock, int.MaxValue - 1);
        using var reader = SpoolReader.Open(SpoolPath.Resolve(typed.ValueOf(_spool)));
        ServerNames.Require(reader, filter.Server);
        var line = new MessageLineWriter(streams.RawOutput);
        long skipped = 0;
        foreach (var message in reader.Export(filter, (id, fault) =>
        {
            // What import could not take must not end the export: the messages behind it are wanted all the more.
            skipped++;
            streams.Error.WriteLine($"quickq-spool: message {id} was not exported: its properties cannot be read: {fault}");
        }))
        {
            line.Write(message);
        }

        line.Flush();
        return skipped == 0 ? ExitCode.Done
            : throw new CommandException(ExitCode.InputOutput, $"{Printable.Count(skipped, "message")} not exported", "'quickq-spool show ID' shows them as they are stored");
    }
}
