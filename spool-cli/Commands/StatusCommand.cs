using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Output;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Commands;

/// <summary><c>status</c>: the backlog of every server and why it is there; with ids, what became of these messages.</summary>
internal sealed class StatusCommand
{
    private const string Details =
        """
        Without ID, one row per server: connection, endpoint, messages by state, the oldest pending one and its age, the
        rate, the time left at that rate, the last error. With ID, one row per server for each message. An ID may be
        shortened to any unique beginning.

        States: pending (due now), deferred (refused, will be retried), held (by an operator), rejected (needs an
        operator), delivered, expired, cancelled. The last three and 'unrouted' are totals.

        Examples:
          quickq-spool status
          quickq-spool status --watch
          quickq-spool status --json | jq '.servers[] | {name, pending}'
          quickq-spool status 0193a1f2

        Exit codes: 0 done; 64 usage error; 65 not a spool; 66 no such spool or message; 74 input/output error; 77 no permission;
        78 spool of a newer version.
        """;

    private static readonly TimeSpan DefaultInterval = TimeSpan.FromSeconds(2);

    private readonly Option _watch = Options.OptionalValue("--watch", "2s", "repeat until Ctrl-C (value only after '=')");
    private readonly Option _json = Options.Json("for programs: one JSON object a line (docs/cli.md)");
    private readonly Option _spool = Options.Spool();

    public static Subcommand Create()
    {
        var status = new StatusCommand();
        var syntax = new Command("status", "Show servers and backlog, or what became of a message") { Arguments = "[ID...]", Options = { status._watch, status._json, status._spool } };
        return new Subcommand(syntax, Details, status.Run);
    }

    private ExitCode Run(ParsedArguments typed, StandardStreams streams)
    {
        var interval = Values.PositiveDuration("--watch", typed.ValueOf(_watch)) ?? DefaultInterval;
        var ids = typed.Arguments;
        var json = typed.Has(_json);
        var path = SpoolPath.Resolve(typed.ValueOf(_spool));
        if (!typed.Has(_watch))
        {
            Show(path, ids, json, streams, streams.Output);
            return ExitCode.Done;
        }

        using var screen = new Screen(streams, inPlace: streams.OutputIsTerminal && !json, separate: !json);
        return screen.Repeat(interval, output => Show(path, ids, json, streams, output));
    }

    private static void Show(string path, IReadOnlyList<string> ids, bool json, StandardStreams streams, TextWriter output)
    {
        using var reader = SpoolReader.Open(path);
        if (ids.Count > 0)
        {
            ShowMessages(reader, ids, json, streams, output);
            return;
        }

        var overview = reader.ReadOverview();
        if (json)
        {
            Json.WriteLine(output, StatusJson.From(overview));
        }
        else
        {
            new StatusText(output, AnsiColors.For(streams.OutputIsTerminal), streams.Clock.GetUtcNow()).Write(overview);
        }
    }

    private static void ShowMessages(SpoolReader reader, IReadOnlyList<string> ids, bool json, StandardStreams streams, TextWriter output)
    {
        var found = new List<MessageStatus>();
        CommandException? unknown = null;
        foreach (var id in ids)
        {
            try
            {
                // Null when it was removed a moment ago.
                found.Add(reader.ReadStatus(MessageIds.Resolve(reader, id)) ?? throw CommandException.NoInput($"there is no message '{id}' in the spool"));
            }
            catch (CommandException exception)
            {
                // The others are told all the same.
                unknown ??= exception;
            }
        }

        if (json)
        {
            found.ForEach(message => Json.WriteLine(output, MessageJson.From(message)));
        }
        else if (found.Count > 0)
        {
            new MessageText(output, AnsiColors.For(streams.OutputIsTerminal), streams.Clock.GetUtcNow()).WriteStatus(found);
        }

        if (unknown is not null)
        {
            throw unknown;
        }
    }
}
