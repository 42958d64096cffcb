namespace Quickq.Agent.Feed;

/// <summary>One due message as the spool holds it. Times are microseconds since the epoch.</summary>
/// <remarks>
/// Its body is taken out to be sent and is not kept until the confirm: with many large messages in flight that would be most of the agent's memory, and the
/// garbage collector would move it about. What must be sent again is read again, from the spool, like any other message.
/// </remarks>
internal sealed class FeedMessage(long seq, string id, string? exchange, string routingKey, string properties, long? expiresAt, long createdAt, byte[] body, string? fault = null)
{
    private byte[]? _body = body;

    public long Seq { get; } = seq;

    public string Id { get; } = id;

    public string? Exchange { get; } = exchange;

    public string RoutingKey { get; } = routingKey;

    public string Properties { get; } = properties;

    public long? ExpiresAt { get; } = expiresAt;

    public long CreatedAt { get; } = createdAt;

    /// <summary>The length of the body, whoever has it.</summary>
    public int BodyBytes { get; } = body.Length;

    /// <summary>What it takes in memory, about: headers and keys count like bodies.</summary>
    public int Bytes { get; } = body.Length + properties.Length + routingKey.Length;

    /// <summary>Why the row is no message that could be sent, whatever else it says; null nearly always.</summary>
    public string? Fault { get; } = fault;

    /// <summary>Hands out the body, once.</summary>
    /// <exception cref="InvalidOperationException">It was taken before.</exception>
    public byte[] TakeBody()
    {
        byte[] taken = _body ?? throw new InvalidOperationException($"the body of message {Id} was taken before");
        _body = null;
        return taken;
    }
}
