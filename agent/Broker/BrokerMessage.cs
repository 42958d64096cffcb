using Quickq.Spool;

namespace Quickq.Agent.Broker;

/// <summary>One message as it goes to one server.</summary>
/// <param name="Id">Becomes the AMQP <c>message-id</c>.</param>
/// <param name="Exchange">Empty is the AMQP default exchange.</param>
/// <param name="RoutingKey">At most 255 bytes.</param>
/// <param name="Properties">What the producer set.</param>
/// <param name="CreatedAt">Becomes the AMQP <c>timestamp</c>, which counts whole seconds.</param>
/// <param name="Expiration">What is left of the message's life; null lives for ever.</param>
/// <param name="Body">Copied before the publish completes.</param>
internal readonly record struct BrokerMessage(
    string Id, string Exchange, string RoutingKey, MessageProperties Properties, DateTimeOffset CreatedAt, TimeSpan? Expiration, ReadOnlyMemory<byte> Body);
