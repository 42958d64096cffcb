using System.Collections.Concurrent;
using Quickq.Agent.Broker;
using Quickq.Agent.Timing;

namespace Quickq.Agent.Forwarding;

/// <summary>What the broker said, in its order, until the forwarder's own loop takes it: so nothing but this queue is shared with the client's reader.</summary>
internal sealed class BrokerEvents(int window, AsyncSignal changed)
{
    /// <summary>Each message that is out, two windows at most, has one answer and one return. A broker that says more fills no memory with it.</summary>
    private readonly int _most = (int)Math.Min(int.MaxValue, (8L * window) + 1024);

    private readonly ConcurrentQueue<BrokerEvent> _events = new();
    private int _count;

    /// <summary>Adds one. Any thread.</summary>
    public void Add(in BrokerEvent one)
    {
        if (Interlocked.Increment(ref _count) > _most && one.Kind is not BrokerEventKind.ChannelClosed)
        {
            Interlocked.Decrement(ref _count);
            return;
        }

        _events.Enqueue(one);
    }

    /// <summary>The loop goes on in this call if it waits; confirms alone take it a moment.</summary>
    public void Wake() => changed.SetHere();

    /// <summary>Takes the oldest one. The loop only.</summary>
    public bool TryTake(out BrokerEvent one)
    {
        if (!_events.TryDequeue(out one))
        {
            return false;
        }

        Interlocked.Decrement(ref _count);
        return true;
    }
}

/// <summary>The listener of one channel: whatever comes for a channel that is no longer in use is recognized by it.</summary>
internal sealed class ChannelListener(ExchangePublisher publisher, BrokerEvents events) : IConfirmListener
{
    public ExchangePublisher Publisher => publisher;

    void IConfirmListener.Confirmed(ulong tag, bool multiple) => events.Add(new BrokerEvent(this, BrokerEventKind.Confirmed, tag, multiple));

    void IConfirmListener.Nacked(ulong tag, bool multiple) => events.Add(new BrokerEvent(this, BrokerEventKind.Nacked, tag, multiple));

    void IConfirmListener.Returned(string messageId, ushort code, string text) => events.Add(new BrokerEvent(this, BrokerEventKind.Returned, Text: messageId));

    void IConfirmListener.ChannelClosed(ushort code, string text) => events.Add(new BrokerEvent(this, BrokerEventKind.ChannelClosed, Code: code, Text: text));

    void IConfirmListener.Said() => events.Wake();
}

/// <summary>What can come.</summary>
internal enum BrokerEventKind
{
    Confirmed,
    Nacked,
    Returned,
    ChannelClosed,
}

/// <summary>One word of the broker.</summary>
/// <param name="Listener">Of the channel.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Tag">Of the message, for an answer.</param>
/// <param name="Multiple">All up to the tag.</param>
/// <param name="Code">Of a closed channel.</param>
/// <param name="Text">Of a closed channel; of a return the message's id.</param>
internal readonly record struct BrokerEvent(ChannelListener Listener, BrokerEventKind Kind, ulong Tag = 0, bool Multiple = false, ushort Code = 0, string? Text = null);
