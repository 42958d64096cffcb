using System.CommandLine;
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

        Exit codes: 0 done, also when nothing fits; 64 wrong use; 65 not a spool; 66 no such spool or server; 74 input/output
        error; 77 no permission; 78 spool of a newer version.
        """;

    private readonly Option<string?> _server = Options.Value("--server", "NAME", "only messages for this server");
    private readonly Option<string?> _state = Options.Value("--state", "STATE", "only messages in this state (see 'status --help')");
    private readonly Option<string?> _topic = Options.Value("--topic", "PATTERN", "only topics that match", "-t");
    private readonly Option<string?> _since = Options.Value("--since", "TIME", "only what was accepted at this time or later");
    private readonly Option<string?> _until = Options.Value("--until", "TIME", "only what was accepted before this time");
    private readonly Option<string?> _limit = Options.Value("--limit", "N", "at most so many (default: 100)");
    private readonly Option<bool> _json = Options.Json("for programs: one JSON object a line (docs/cli.md)");
    private readonly Option<string?> _spool = Options.Spool();

    public static Verb Create()
    {
        var list = new ListCommand();
        var syntax = new Command("list", "lists messages, newest first")
        {
            list._server, list._state, list._topic, list._since, list._until, list._limit, list._json, list._spool,
        };
        return new Verb(syntax, Details, list.Run);
    }

    private ExitCode Run(ParseResult typed, StandardStreams streams)
    {
        var limit = Values.Whole("--limit", typed.GetValue(_limit), 1, int.MaxValue - 1) ?? 100;
        var filter = new MessageFilter
        {
            Server = typed.GetValue(_server),
            State = Values.State("--state", typed.GetValue(_state)),
            TopicPattern = typed.GetValue(_topic),
            Since = Values.Instant("--since", typed.GetValue(_since), streams.Clock),
            Until = Values.Instant("--until", typed.GetValue(_until), streams.Clock),
            Limit = limit,
        };
        using var reader = SpoolReader.Open(SpoolPath.Resolve(typed.GetValue(_spool)));
        RequireServer(reader, filter.Server);
        if (typed.GetValue(_json))
        {
            foreach (var message in reader.List(filter))
            {
                Json.WriteLine(streams.Output, MessageJson.From(message));
            }

            return ExitCode.Done;
        }

        WriteTable(reader, filter, limit, streams);
        return ExitCode.Done;
    }

    private static void WriteTable(SpoolReader reader, MessageFilter filter, int limit, StandardStreams streams)
    {
        // One more than asked for tells whether there are more.
        List<MessageStatus> messages = [.. reader.List(filter with { Limit = limit + 1 })];
        var more = messages.Count > limit;
        new MessageText(streams.Output, Palette.For(streams.OutputIsTerminal), streams.Clock.GetUtcNow())
            .WriteList(more ? messages[..limit] : messages);
        streams.Output.Flush();
        if (more)
        {
            streams.Error.WriteLine($"quickq-spool: only the newest {limit} are shown; --limit N shows more");
        }
    }

    private static void RequireServer(SpoolReader reader, string? name)
    {
        if (name is null)
        {
            return;
        }

        List<string> known = [.. reader.ReadOverview().Servers.Select(server => server.Name)];
        if (!known.Contains(name))
        {
            throw CommandException.NoInput($"there is no server '{name}'", known.Count == 0 ? "no agent has run on this spool yet" : $"there are {string.Join(", ", known)}");
        }
    }
}
