using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Output;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Commands;

/// <summary><c>list</c>: messages, newest first, by server, state, topic and time.</summary>
internal sealed class ListCommand
{
    private const string Details =
        """
        All conditions must hold; --state together with --server means the state at that server. --since and --until go by
        the time of acceptance (--until itself not included): ISO 8601 (UTC unless it names a zone) or a duration back from
        now. In --topic, * stands for one word and # for any number of words, as in a topic binding.

        Examples:
          quickq-spool list --state rejected
          quickq-spool list --server mq1 --state pending --since 2h --limit 20
          quickq-spool list --topic 'geo.goes.#' --since 2026-01-02 --until 2026-01-03 --json

        Exit codes: 0 done, also when nothing fits; 64 usage error; 65 not a spool; 66 no such spool or server; 74 input/output
        error; 77 no permission; 78 spool of a newer version.
        """;

    private readonly FilterOptions _filter = new("100");
    private readonly Option _json = Options.Json("for programs: one JSON object a line (docs/cli.md)");
    private readonly Option _spool = Options.Spool();

    public static Subcommand Create()
    {
        var list = new ListCommand();
        var syntax = new Command("list", "List messages, newest first");
        list._filter.AddTo(syntax);
        syntax.Options.Add(list._json);
        syntax.Options.Add(list._spool);
        return new Subcommand(syntax, Details, list.Run);
    }

    private ExitCode Run(ParsedArguments typed, StandardStreams streams)
    {
        var filter = _filter.Read(typed, streams.Clock, defaultLimit: 100);
        using var reader = SpoolReader.Open(SpoolPath.Resolve(typed.ValueOf(_spool)));
        ServerNames.Require(reader, filter.Server);
        if (typed.Has(_json))
        {
            foreach (var message in reader.List(filter))
            {
                Json.WriteLine(streams.Output, MessageJson.From(message));
            }

            return ExitCode.Done;
        }

        WriteTable(reader, filter, streams);
        return ExitCode.Done;
    }

    private static void WriteTable(SpoolReader reader, MessageFilter filter, StandardStreams streams)
    {
        var limit = filter.Limit;

        // One more than asked for tells whether there are more.
        List<MessageStatus> messages = [.. reader.List(filter with { Limit = limit + 1 })];
        var more = messages.Count > limit;
        new MessageText(streams.Output, AnsiColors.For(streams.OutputIsTerminal), streams.Clock.GetUtcNow())
            .WriteList(more ? messages[..limit] : messages);
        streams.Output.Flush();
        if (more)
        {
            streams.Error.WriteLine($"quickq-spool: only the newest {limit} are shown; --limit N shows more");
        }
    }
}
