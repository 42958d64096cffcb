using Quickq.Agent.Feed;

namespace Quickq.Agent.Tests.Forwarding;

/// <summary>Messages as a feed would hand them out.</summary>
internal static class Rows
{
    public static FeedMessage Row(long seq, int bytes = 10, string key = "k") => new(seq, $"id-{seq}", "e", key, "{}", null, 0, new byte[bytes]);

    public static FeedMessage[] Of(int count) => [.. Enumerable.Range(1, count).Select(seq => Row(seq))];
}
