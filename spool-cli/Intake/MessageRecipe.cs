using System.Text.Json;
using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;

namespace Quickq.SpoolCli.Intake;

/// <summary>What the options of <c>add</c> say about every message; makes a message from a payload.</summary>
internal sealed record MessageRecipe
{
    public required TopicTemplate Topic { get; init; }

    /// <summary>Set for <c>--ssec</c>: the topic is derived from the payload instead.</summary>
    public SsecTopics? Ssec { get; init; }

    public string? Exchange { get; init; }

    public string? Id { get; init; }

    /// <summary>The servers that it is for; null for all.</summary>
    public IReadOnlyList<string>? Servers { get; init; }

    public IReadOnlyList<KeyValuePair<string, string>> Metadata { get; init; } = [];

    public IReadOnlyDictionary<string, object?>? Headers { get; init; }

    public bool MustBeJson { get; init; }

    public string? ContentType { get; init; }

    public TimeSpan? TimeToLive { get; init; }

    public byte? Priority { get; init; }

    public bool Transient { get; init; }

    /// <summary>Refuses (65) what the options say wrongly of every message: for <c>--lines</c>, before any is read.</summary>
    /// <param name="spoolPath">The spool, for the error.</param>
    public void RequireValid(string spoolPath) => MessageRules.Check(
        new OutgoingMessage
        {
            Exchange = Exchange,
            RoutingKey = Ssec is null && !Topic.HasPlaces ? Topic.Expand(default) : "",
            Servers = Servers,
            TimeToLive = TimeToLive,
            Properties = new MessageProperties { ContentType = ContentType, Headers = Headers, Priority = Priority, Transient = Transient },
        },
        spoolPath);

    /// <summary>The message for one payload; refuses (65) a payload that does not fit what the options ask for.</summary>
    public OutgoingMessage Make(ReadOnlyMemory<byte> payload)
    {
        if (MustBeJson && JsonText.Fault(payload.Span) is { } fault)
        {
            throw CommandException.BadData($"the message is not JSON ({fault})", "--json takes exactly one JSON text; leave --json out to send it as it is");
        }

        var body = Metadata.Count > 0 ? JsonMembers.Merge(payload, Metadata) : payload;
        return new OutgoingMessage
        {
            Id = Id,
            Exchange = Exchange,
            RoutingKey = RoutingKeyFor(body),
            Servers = Servers,
            Body = body,
            TimeToLive = TimeToLive,
            Properties = new MessageProperties
            {
                ContentType = ContentType ?? Detect(body.Span),
                Headers = Headers,
                Priority = Priority,
                Transient = Transient,
            },
        };
    }

    private string RoutingKeyFor(ReadOnlyMemory<byte> body)
    {
        if (Ssec is not null)
        {
            using var payload = JsonText.Parse(body, "--ssec");
            return Ssec.Derive(payload.RootElement);
        }

        if (!Topic.HasPlaces)
        {
            return Topic.Expand(default);
        }

        using var document = JsonText.Parse(body, "a topic with {...}");
        return Topic.Expand(document.RootElement);
    }

    private string Detect(ReadOnlySpan<byte> body) =>
        MustBeJson || Metadata.Count > 0 || JsonText.IsObjectOrArray(body) ? "application/json" : "application/octet-stream";
}
