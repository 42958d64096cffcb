namespace Quickq.Spool;

/// <summary>One message as a producer hands it over. Immutable; the spool stores it whole or refuses it.</summary>
public sealed record OutgoingMessage
{
    /// <summary>The producer's own id, 1-255 of <c>[A-Za-z0-9._:-]</c>, sent as AMQP <c>message-id</c>.</summary>
    /// <value>Null (the default) lets the spool make a UUID of version 7.</value>
    /// <remarks>The same id again with the same content stores nothing and succeeds; with other content it is refused.</remarks>
    public string? Id { get; init; }

    /// <summary>The exchange, at most 255 bytes of UTF-8; <c>""</c> is AMQP's default exchange.</summary>
    /// <value>Null (the default) means the exchange that the agent's configuration names for each server.</value>
    public string? Exchange { get; init; }

    /// <summary>The routing key (topic), at most 255 bytes of UTF-8 without a zero byte.</summary>
    /// <value>Default: empty.</value>
    public string RoutingKey { get; init; } = "";

    /// <summary>The names of the servers that the message is for: each of them gets it, whatever it takes. Order and repetition do not matter.</summary>
    /// <value>Null (the default): every active server that takes the exchange.</value>
    /// <remarks>A name that no server of the spool ever had is refused, except on a spool that never knew a server: there it waits for the agent.</remarks>
    public IReadOnlyList<string>? Servers { get; init; }

    /// <summary>The payload, delivered byte for byte.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>Content type, headers, priority and persistence.</summary>
    public MessageProperties Properties { get; init; } = MessageProperties.None;

    /// <summary>How long after acceptance the message is still worth sending; more than zero.</summary>
    /// <value>Null (the default): for ever.</value>
    public TimeSpan? TimeToLive { get; init; }

    /// <summary>When the message was accepted, for one that was accepted elsewhere before (an import).</summary>
    /// <value>Null (the default): now.</value>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>When it stops being worth sending; instead of <see cref="TimeToLive"/>.</summary>
    /// <value>Null (the default): as <see cref="TimeToLive"/> says.</value>
    public DateTimeOffset? ExpiresAt { get; init; }
}
