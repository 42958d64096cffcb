namespace Quickq.Agent.Forwarding;

/// <summary>Messages of one server that go under one limit: those of an exchange, or of a routing key in trouble. Belongs to the forwarder's loop.</summary>
internal abstract class MessageFlow(string exchange, SendLimit limit)
{
    public string Exchange => exchange;

    /// <summary>The one key; null for all of the exchange.</summary>
    public abstract string? RoutingKey { get; }

    public SendLimit Limit => limit;

    /// <summary>How many are unconfirmed.</summary>
    public abstract int Out { get; }

    /// <summary>How many more may be sent.</summary>
    public int Room => Math.Max(0, limit.Value - Out);

    /// <summary>The first message that waits although the feed is past it: the flow reads for itself from there. Null when none does.</summary>
    public long? WaitingFrom { get; private set; }

    /// <summary>Notes that this message was passed by.</summary>
    public void WaitFrom(long seq) => WaitingFrom = Math.Min(WaitingFrom ?? seq, seq);

    /// <summary>What was made pending again behind the flow's back is read too.</summary>
    public void LookBack(long seq)
    {
        if (WaitingFrom is not null)
        {
            WaitFrom(seq);
        }
    }

    /// <summary>The flow has read up to here.</summary>
    public void ReadUpTo(long seq) => WaitingFrom = seq + 1;

    /// <summary>Nothing waits: what comes from now on is handed out by the feed. Returns from where.</summary>
    public long? StopWaiting()
    {
        long? from = WaitingFrom;
        WaitingFrom = null;
        return from;
    }
}
