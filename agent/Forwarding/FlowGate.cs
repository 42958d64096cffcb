using Quickq.Agent.Feed;

namespace Quickq.Agent.Forwarding;

/// <summary>Says which messages of one server may be sent now, which are passed by, and what is read aside from the feed's position. Belongs to the forwarder's loop.</summary>
internal sealed class FlowGate(Func<string, ExchangePublisher> publisherOf, IReadOnlyDictionary<string, ExchangePublisher> byExchange, TroubledKeys keys, LoneProbe alone, ConnectionFaults faults, Settler settler)
{
    /// <summary>One message at a time may be out on the whole connection: one of them makes the broker close it.</summary>
    public bool IsIsolating => faults.IsIsolating;

    /// <summary>One is out that must be answered before another is sent.</summary>
    public bool MustWait => faults.IsIsolating && CountOut() > 0;

    /// <summary>Messages were made pending again: what is read aside from the feed looks there too.</summary>
    public void LookBack(long seq)
    {
        foreach (MessageFlow flow in Flows())
        {
            flow.LookBack(seq);
        }
    }

    /// <summary>From where the feed must look again: flows that hold nothing back any more leave the reading to it.</summary>
    public long? TakeRewind()
    {
        long? rewind = null;
        foreach (ExchangePublisher publisher in byExchange.Values)
        {
            if (publisher is { WaitingFrom: not null, IsOpen: true, Limit.IsFull: true } && !alone.Holds(publisher))
            {
                rewind = Math.Min(rewind ?? long.MaxValue, publisher.StopWaiting()!.Value);
            }
        }

        foreach (TroubledKey key in keys.All.Where(key => key is { WaitingFrom: not null, Limit.IsFull: true }).ToArray())
        {
            rewind = Math.Min(rewind ?? long.MaxValue, key.StopWaiting()!.Value);
            keys.Remove(key);
            settler.ReportUntroubled(key);
        }

        return rewind;
    }

    /// <summary>The flows that may send now what was passed by.</summary>
    public IReadOnlyList<MessageFlow> ReadingAside() =>
        [.. Flows().Where(flow => flow.WaitingFrom is not null && MaySend(flow))];

    /// <summary>Whether the flow may send one more message now.</summary>
    public bool MaySend(MessageFlow flow)
    {
        if (flow.Room == 0 || alone.Holds(flow) || MustWait)
        {
            return false;
        }

        if (flow is not TroubledKey key)
        {
            return ((ExchangePublisher)flow).IsOpen;
        }

        ExchangePublisher publisher = byExchange[key.Exchange];
        return publisher.IsOpen
            && (!key.NeedsAlone || (ReferenceEquals(alone.Key, key) && (key.ClosesConnection ? CountOut() : publisher.Out) == 0));
    }

    /// <summary>Whether a message that the feed hands out may be sent; if not, it is noted as passed by.</summary>
    /// <param name="message">The message.</param>
    /// <param name="exchange">Where it goes.</param>
    /// <param name="aside">The flow that read it for itself; null for the feed.</param>
    public bool Accepts(FeedMessage message, string exchange, MessageFlow? aside)
    {
        ExchangePublisher publisher = publisherOf(exchange);
        MessageFlow flow = (MessageFlow?)keys.Find(exchange, message.RoutingKey) ?? publisher;
        bool inTurn = ReferenceEquals(flow, aside) || (flow.WaitingFrom is null && (aside is not null || publisher.WaitingFrom is null));
        if (inTurn && MaySend(flow))
        {
            return true;
        }

        flow.WaitFrom(message.Seq);
        return false;
    }

    /// <summary>What the feed is to pass by from here on; null when nothing. Each flow notes it.</summary>
    public FeedFilter? PassBy(long position)
    {
        List<string>? exchanges = null;
        foreach (ExchangePublisher publisher in byExchange.Values)
        {
            if (!publisher.Accepts || alone.Holds(publisher))
            {
                publisher.WaitFrom(position + 1);
                (exchanges ??= []).Add(publisher.Exchange);
            }
        }

        List<RoutedKey>? passed = KeysToPassBy(position, _ => true);
        return exchanges is null && passed is null ? null : new FeedFilter { Exchanges = exchanges ?? [], Keys = Named(passed) };
    }

    /// <summary>What a flow reads for itself.</summary>
    public FeedFilter OnlyOf(MessageFlow flow) => new()
    {
        OnlyExchange = flow.Exchange,
        OnlyKey = flow.RoutingKey,
        Keys = flow.RoutingKey is null ? Named(KeysToPassBy(flow.WaitingFrom!.Value - 1, key => string.Equals(key.Exchange, flow.Exchange, StringComparison.Ordinal))) : [],
    };

    private List<RoutedKey>? KeysToPassBy(long position, Func<TroubledKey, bool> wanted)
    {
        List<RoutedKey>? passed = null;
        foreach (TroubledKey key in keys.All.Where(wanted))
        {
            if (key.WaitingFrom is not null || key.Room == 0)
            {
                key.WaitFrom(position + 1);
                (passed ??= []).Add(key.Key);
            }
        }

        return passed;
    }

    private static IReadOnlyList<(string, string)> Named(List<RoutedKey>? named) => named is null ? [] : [.. named.Select(key => (key.Exchange, key.Key))];

    private int CountOut()
    {
        int count = 0;
        foreach (ExchangePublisher publisher in byExchange.Values)
        {
            count += publisher.Out;
        }

        return count;
    }

    private IEnumerable<MessageFlow> Flows() => byExchange.Values.Concat<MessageFlow>(keys.All);
}
