using Quickq.Agent.Feed;

namespace Quickq.Agent.Tests.Forwarding;

/// <summary>Messages as a feed would hand them out.</summary>
internal static class Rows
{
    // The properties take two bytes and the key its own: together as many as asked for.
    public static FeedMessage Row(long seq, int bytes = 10, string key = "k") => new(seq, $"id-{seq}", "e", key, "{}", null, 0, new byte[bytes - 2 - key.Length]);

    public static FeedMessage[] Of(int count) => [.. Enumerable.Range(1, count).Select(seq => Row(seq))];
}
