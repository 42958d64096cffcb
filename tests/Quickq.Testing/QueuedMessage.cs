using RabbitMQ.Client;

namespace Quickq.Testing;

/// <summary>One message as it lay in a queue.</summary>
public sealed record QueuedMessage(
    string? MessageId, string Exchange, string RoutingKey, byte[] Body, IReadOnlyBasicProperties Properties, bool Redelivered);
