namespace Quickq.Testing.Auditing;

/// <summary>A message as a producer gave it, under the id that it was given back: what every server must have in the end.</summary>
/// <param name="Exchange">The exchange that the message is to arrive at, on every server.</param>
public sealed record AcceptedMessage(
    string Id, string Exchange, string RoutingKey, byte[] Body, string ContentType = "application/json", IReadOnlyDictionary<string, string>? Headers = null)
{
    /// <summary>The ids that <c>add --lines -t {__topic__}</c> printed, with the events that it was given, both in order.</summary>
    public static IReadOnlyList<AcceptedMessage> Of(IReadOnlyList<string> ids, IEnumerable<SsecEvent> events, string exchange) =>
        [.. ids.Zip(events, (id, item) => new AcceptedMessage(id, exchange, item.Topic, item.Payload))];
}
