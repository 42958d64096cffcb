using System.CommandLine;
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

        Exit codes: 0 done, also when nothing fits; 64 wrong use; 65 not a spool; 66 no such spool or server; 74 input/output
        error; 77 no permission; 78 spool of a newer version.
        """;

    private readonly FilterOptions _filter = new("all");
    private readonly Option<string?> _spool = Options.Spool();

    public static Verb Create()
    {
        var export = new ExportCommand();
        var syntax = new Command("export", "writes messages as one JSON object a line, for import");
        export._filter.AddTo(syntax);
        syntax.Options.Add(export._spool);
        return new Verb(syntax, Details, export.Run);
    }

    private ExitCode Run(ParseResult typed, StandardStreams streams)
    {
        var filter = _filter.Read(typed, streams.Clock, int.MaxValue - 1);
        using var reader = SpoolReader.Open(SpoolPath.Resolve(typed.GetValue(_spool)));
        ServerNames.Require(reader, filter.Server);
        var line = new MessageLineWriter(streams.RawOutput);
        foreach (var message in reader.Export(filter))
        {
            line.Write(message);
        }

        line.Flush();
        return ExitCode.Done;
    }
}
