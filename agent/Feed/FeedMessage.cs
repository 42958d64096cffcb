namespace Quickq.Agent.Feed;

/// <summary>One due message as the spool holds it. Times are microseconds since the epoch.</summary>
internal sealed record FeedMessage(
    long Seq, string Id, string? Exchange, string RoutingKey, string Properties, long? ExpiresAt, long CreatedAt, byte[] Body);
