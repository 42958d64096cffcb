using Quickq.Agent.Feed;

namespace Quickq.Agent.Forwarding;

/// <summary>
/// Finds the message that makes the broker close a channel, among those that were in flight: by sending them again in groups, halved after each
/// failure and doubled after each success. Pure.
/// </summary>
internal sealed class SuspectSearch
{
    private readonly LinkedList<FeedMessage> _left;
    private int _groupSize;

    public SuspectSearch(IReadOnlyCollection<FeedMessage> inOrder)
    {
        _left = new LinkedList<FeedMessage>(inOrder);
        _groupSize = Math.Max(1, inOrder.Count / 2);
    }

    /// <summary>True when every suspect was cleared or convicted.</summary>
    public bool IsOver => _left.Count == 0;

    /// <summary>All that are neither cleared nor convicted.</summary>
    public IReadOnlyCollection<FeedMessage> Left => _left;

    /// <summary>The messages to send together now, in order.</summary>
    public IReadOnlyList<FeedMessage> NextGroup() => [.. _left.Take(_groupSize)];

    /// <summary>The server answered this one without closing the channel: it is innocent, whatever the answer was.</summary>
    public void Clear(FeedMessage message) => _left.Remove(message);

    /// <summary>The whole group was answered.</summary>
    public void GroupPassed() => _groupSize = (int)Math.Min((long)_groupSize * 2, int.MaxValue);

    /// <summary>The channel closed while the group was out. Returns the guilty message when it is certain: when it was out alone.</summary>
    /// <param name="unanswered">Those of the group that got no answer.</param>
    public FeedMessage? GroupFailed(IReadOnlyList<FeedMessage> unanswered)
    {
        if (unanswered.Count == 1)
        {
            _left.Remove(unanswered[0]);
            return unanswered[0];
        }

        _groupSize = Math.Max(1, unanswered.Count / 2);
        return null;
    }
}
