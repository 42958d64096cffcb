namespace Quickq.Agent.Broker;

/// <summary>
/// How long anything may take before it counts as failed. RabbitMQ.Client can hang in each of these, so each is
/// bounded by us: what breaks a deadline costs the connection.
/// </summary>
internal sealed record BrokerDeadlines
{
    public static readonly BrokerDeadlines Default = new();

    public TimeSpan Resolve { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>For one address; the next is tried then.</summary>
    public TimeSpan Connect { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>TLS and the AMQP handshake, to the first open channel.</summary>
    public TimeSpan Handshake { get; init; } = TimeSpan.FromSeconds(15);

    public TimeSpan OpenChannel { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>For a sign of life of a broker that confirms nothing. Stands still while the broker blocks us.</summary>
    public TimeSpan Answer { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>For the client to take a message, not for its confirm. Stands still while the broker blocks us.</summary>
    public TimeSpan Publish { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>For an orderly goodbye; after it the socket is closed, which takes no time.</summary>
    public TimeSpan Close { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>
    /// How long sent data may stay without any acknowledgement by the peer's kernel (TCP_USER_TIMEOUT). With heartbeats
    /// every 5 s a pulled cable is noticed within 16 s; the client alone needs more than two heartbeat intervals.
    /// </summary>
    public TimeSpan Unacknowledged { get; init; } = TimeSpan.FromSeconds(10);
}
