using RabbitMQ.Client;

namespace Quickq.Testing;

/// <summary>One message as it lay in a queue.</summary>
/// <param name="Queue">The queue's name.</param>
public sealed record QueuedMessage(
    string Queue, string? MessageId, string Exchange, string RoutingKey, byte[] Body, IReadOnlyBasicProperties Properties, bool Redelivered);
