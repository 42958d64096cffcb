using Quickq.Spool;
using Quickq.Spool.Service;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Intake;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Commands;

/// <summary><c>add</c>: stores one message, or one a line, and prints the id once it is safe on disk.</summary>
internal sealed class AddCommand
{
    private const string Details =
        """
        MESSAGE is sent byte for byte as it is; without MESSAGE and --file, standard input is read up to its end. The id
        is printed when the message is safe on disk: from then on neither a crash nor a power cut loses it, and the agent
        delivers it to every server, or to those that --server names. No agent, server or network is needed for that.

        Topic templates: {name} stands for a member of the JSON payload, {a[b]} for a member of a member or an element of
        an array, {band:>03} and {x!s} format it as Python does, {{ and }} are braces. The topic is the AMQP routing key, at
        most 255 bytes. --ssec makes it from the event:
        satellite_type.satellite_family.satellite_id.satellite_instrument.medium.server_type.format.classification.status

        --lines: \n or \r\n ends a line, the last may lack it, empty lines are skipped. Lines are stored as they come in,
        at most 100 ms after they were read; ids come out one a line in the same order. A line that cannot be stored ends
        the run with its number; all lines before it are stored. With --skip-invalid it is named, passed by, and appended to
        FILE as it is; the run then ends with 65.

        A word that begins with '-' is an option. A message that does goes after '--'.

        Examples:
          quickq-spool add -t geo.goes.g16 -x satellite '{"satellite_ID":"G16","band":"8"}'
          quickq-spool add -t '{satellite_ID}.{band}' --file event.json
          quickq-spool add -t alarm --wait=10s -- '-40 degrees'
          tail -F events.ndjson | quickq-spool add --lines -t '{__topic__}' -x satellite

        Exit codes: 0 stored (with --wait: delivered everywhere); 64 usage error; 65 bad data; 66 no such file or server; 69 rejected by
        a server; 73 the spool cannot be made; 74 input/output error; 75 try later (full, locked, wait timed out); 77 no
        permission; 78 spool of a newer version.
        """;

    private static readonly TimeSpan DefaultWait = TimeSpan.FromSeconds(30);

    private readonly Option _file = Options.Value("--file", "F", "read the payload from F ('-' for standard input)");
    private readonly Option _topic = Options.Value("--topic", "KEY", "the topic (routing key), or a template of it", "-t");
    private readonly Option _ssec = Options.Flag("--ssec", "derive the SSEC's nine-word topic from the JSON payload");
    private readonly Option _exchange = Options.Value("--exchange", "NAME", "the exchange (default: each server's own)", "-x");
    private readonly Option _metadata = Options.Repeated("--metadata", "K=V", "put a member into the JSON object; may be repeated", "-m");
    private readonly Option _header = Options.Repeated("--header", "K=V", "set an AMQP header; may be repeated", "-H");
    private readonly Option _json = Options.Json("refuse a payload that is not JSON");
    private readonly Option _contentType = Options.Value("--content-type", "TYPE", "default: application/json for a JSON object or array, else application/octet-stream");
    private readonly Option _ttl = Options.Value("--ttl", "DURATION", "discard the message if it is not sent within this time (default: never)");
    private readonly Option _priority = Options.Value("--priority", "N", "AMQP priority, 0 to 255");
    private readonly Option _transient = Options.Flag("--transient", "let a broker lose it when it restarts (delivery mode 1)");
    private readonly Option _id = Options.Value("--id", "ID", "an id of your own; the same id and content again stores nothing");
    private readonly Option _server = Options.Repeated("--server", "NAME", "only for this server; may be repeated (default: all that take the exchange)");
    private readonly Option _lines = Options.Flag("--lines", "one message a line, stored as they come in");
    private readonly Option _skipInvalid = Options.OptionalValue("--skip-invalid", "FILE", "with --lines: pass by a line that cannot be stored, keep it in FILE (value only after '=')");
    private readonly Option _wait = Options.OptionalValue("--wait", "30s", "wait until every server has it (value only after '=')");
    private readonly Option _spool = Options.Spool();

    public static Subcommand Create()
    {
        var add = new AddCommand();
        var syntax = new Command("add", "Add a message for every server; print its ID")
        {
            Arguments = "[MESSAGE]",
            Options =
            {
                add._file, add._topic, add._ssec, add._exchange, add._metadata, add._header, add._json, add._contentType,
                add._ttl, add._priority, add._transient, add._id, add._server, add._lines, add._skipInvalid, add._wait, add._spool,
            },
        };
        return new Subcommand(syntax, Details, add.Run) { RunThroughService = add.RunThroughService, StoresMessages = true };
    }

    private ExitCode Run(ParsedArguments typed, StandardStreams streams)
    {
        var path = SpoolPath.Resolve(typed.ValueOf(_spool));
        return Run(typed, streams, () => OpenTelling(path, streams), (_, ids, timeout) => new DeliveryWait(streams).Run(path, ids, timeout));
    }

    private ExitCode RunThroughService(ParsedArguments typed, ServedSpool spool, StandardStreams streams) => Run(
        typed, streams, () => new SpoolClient(spool.Location), (client, ids, timeout) => new DeliveryWait(streams).Run(client, ids, timeout));

    private ExitCode Run<T>(ParsedArguments typed, StandardStreams streams, Func<T> open, Func<T, IReadOnlyList<string>, TimeSpan, ExitCode> waitFor)
        where T : ISpoolProducer
    {
        var recipe = ReadRecipe(typed, streams);
        TimeSpan? wait = !typed.Has(_wait) ? null
            : typed.ValueOf(_wait) is { } text ? Values.Duration("--wait", text)
            : DefaultWait;
        var message = OnlyMessage(typed);
        if (typed.Has(_lines))
        {
            recipe.RequireValid(SpoolPath.Resolve(typed.ValueOf(_spool)));
            var input = PayloadInput.Open(typed.ValueOf(_file), streams);
            var skipped = SkippedLinesIfWanted(typed, input, streams);
            using var stop = new StopSignal();
            using var lines = open();
            var intake = new LineIntake(lines, recipe, streams, skipped, keepIds: wait is not null);
            intake.Run(input, stop);
            (lines as SpoolWriter)?.CheckpointIfAlone(isLast: true);
            var code = wait is { } limit ? waitFor(lines, intake.Ids, limit) : ExitCode.Done;
            return code == ExitCode.Done && skipped is { Count: > 0 } ? ExitCode.BadData : code;
        }

        var made = recipe.Make(ReadPayload(message, typed, streams));
        using var spool = open();
        var id = AddOne(made, spool, streams);
        (spool as SpoolWriter)?.CheckpointIfAlone(isLast: true);
        return wait is { } timeout ? waitFor(spool, [id], timeout) : ExitCode.Done;
    }

    private MessageRecipe ReadRecipe(ParsedArguments typed, StandardStreams streams) => new()
    {
        Topic = TopicTemplate.Parse(typed.ValueOf(_topic) ?? ""),
        Ssec = SsecTopicsIfWanted(typed, streams),
        Exchange = typed.ValueOf(_exchange),
        Id = typed.ValueOf(_id),
        Servers = ReadServers(typed),
        Metadata = Values.Pairs("--metadata", typed.ValuesOf(_metadata)),
        Headers = Values.Pairs("--header", typed.ValuesOf(_header)) is { Count: > 0 } headers
            ? headers.ToDictionary(pair => pair.Key, pair => (object?)pair.Value, StringComparer.Ordinal)
            : null,
        MustBeJson = typed.Has(_json),
        ContentType = typed.ValueOf(_contentType),
        TimeToLive = Values.PositiveDuration("--ttl", typed.ValueOf(_ttl)),
        Priority = (byte?)Values.Whole("--priority", typed.ValueOf(_priority), 0, 255),
        Transient = typed.Has(_transient),
    };

    private IReadOnlyList<string>? ReadServers(ParsedArguments typed)
    {
        var servers = typed.ValuesOf(_server);
        return servers.FirstOrDefault(name => name.Contains(',', StringComparison.Ordinal)) is { } several
            ? throw CommandException.WrongUse($"--server takes one name, not '{several}'", "repeat it: --server mq1 --server mq2")
            : servers.Count > 0 ? servers : null;
    }

    private SsecTopics? SsecTopicsIfWanted(ParsedArguments typed, StandardStreams streams) => !typed.Has(_ssec) ? null
        : typed.ValueOf(_topic) is null ? new SsecTopics(streams.Error)
        : throw CommandException.WrongUse("both --topic and --ssec are given", "--ssec makes the topic from the payload; give one of them");

    private SkippedLines? SkippedLinesIfWanted(ParsedArguments typed, Descriptor input, StandardStreams streams) => !typed.Has(_skipInvalid) ? null
        : new SkippedLines(typed.ValueOf(_skipInvalid) is { } path ? SkippedLinesFile.Open(path, input, SpoolPath.Resolve(typed.ValueOf(_spool)), streams) : null, streams.Error);

    private string? OnlyMessage(ParsedArguments typed)
    {
        var messages = typed.Arguments;
        var sources = messages.Count > 0 ? "MESSAGE" : typed.ValueOf(_file) is not null ? "--file" : "standard input";
        if (messages.Count > 1)
        {
            throw CommandException.WrongUse($"expected one message, got {messages.Count}", "quote it, or use --lines for one message a line");
        }

        if (messages.Count == 1 && typed.ValueOf(_file) is not null)
        {
            throw CommandException.WrongUse("both MESSAGE and --file are given", "give one of them");
        }

        if (typed.Has(_skipInvalid) && (!typed.Has(_lines) || messages.Count == 1))
        {
            throw CommandException.WrongUse(
                messages.Count == 1 && typed.ValueOf(_skipInvalid) is null ? $"--skip-invalid takes its value after '=': --skip-invalid={messages[0]}" : "--skip-invalid goes with --lines",
                "lines come from standard input or --file");
        }

        if (typed.Has(_lines) && (messages.Count == 1 || typed.ValueOf(_id) is not null))
        {
            throw CommandException.WrongUse(
                $"--lines does not go with {(messages.Count == 1 ? sources : "--id")}",
                messages.Count == 1 ? "lines come from standard input or --file" : "each message has an id of its own");
        }

        return messages.Count == 1 ? messages[0] : null;
    }

    private ReadOnlyMemory<byte> ReadPayload(string? message, ParsedArguments typed, StandardStreams streams) => message is not null
        ? StandardStreams.Utf8.GetBytes(message)
        : PayloadInput.ReadToEnd(PayloadInput.Open(typed.ValueOf(_file), streams), streams.IsServed ? Frame.MaxLength : PayloadInput.MaxBytes);

    private static SpoolWriter OpenTelling(string path, StandardStreams streams)
    {
        var writer = SpoolWriter.Open(path);
        if (writer.KeptLog is { } kept)
        {
            streams.Error.WriteLine($"quickq-spool: a new spool was made; {OrphanedWal.Describe(kept)}");
        }

        return writer;
    }

    private static string AddOne(OutgoingMessage message, ISpoolProducer spool, StandardStreams streams)
    {
        var id = spool.Append(message);
        try
        {
            streams.RawOutput.Write(StandardStreams.Utf8.GetBytes(id + "\n"));
        }
        catch (IOException exception)
        {
            throw new CommandException(ExitCode.InputOutput, exception.Message, $"the message is stored, its id is {id}");
        }

        return id;
    }
}
