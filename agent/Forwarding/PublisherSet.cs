using Quickq.Agent.Broker;
using Quickq.Agent.Feed;
using Quickq.Agent.Observability;
using Quickq.Agent.Settings;
using Quickq.Agent.Timing;

namespace Quickq.Agent.Forwarding;

/// <summary>The publishers of one server, one for each exchange that a message was meant for, and the routing keys in trouble. They outlive connections.</summary>
/// <remarks>Belongs to the forwarder's loop: what the broker says comes as events, which <see cref="TakeAnswers"/> works off.</remarks>
internal sealed class PublisherSet
{
    private readonly ServerSettings _settings;
    private readonly ForwarderParts _parts;
    private readonly CancellationToken _stopping;
    private readonly Settler _settler;
    private readonly Dictionary<string, ExchangePublisher> _byExchange = new(StringComparer.Ordinal);
    private readonly TroubledKeys _keys;
    private readonly ConnectionFaults _faults = new();
    private readonly ChannelSlots _slots;
    private readonly LoneProbe _alone;
    private readonly HangingQueues _hanging;
    private readonly BrokerEvents _events;
    private readonly List<ConfirmedPublisher> _closed = [];
    private long _isolatingSince;
    private int _needsAttention;
    private int _spoolChanged;

    public PublisherSet(ServerSettings settings, ForwarderParts parts, InFlightWindow window, CancellationToken stopping)
    {
        (_settings, _parts, _stopping) = (settings, parts, stopping);
        _settler = new Settler(settings, parts, window);
        _keys = new TroubledKeys(NewLimit);
        _slots = new ChannelSlots(parts.Clock);
        _alone = new LoneProbe(parts.Clock);
        _hanging = new HangingQueues(parts.Clock, _slots, Changed.Set);
        _events = new BrokerEvents(settings.Window, Changed);
        Flows = new FlowGate(For, _byExchange, _keys, _alone, _faults, _settler);
    }

    /// <summary>Set when the broker said something, or the connection is blocked or free again.</summary>
    public AsyncSignal Changed { get; } = new();

    /// <summary>For how long the broker has given no sign of life, although messages were out and it could; zero when none are out.</summary>
    public TimeSpan Silence => _hanging.Silence(_byExchange.Values);

    /// <summary>What may be sent.</summary>
    public FlowGate Flows { get; }

    /// <summary>Whether the next connection is to follow without back-off: the broker closes it for a message that is being looked for.</summary>
    public bool ConnectAtOnce => _faults.ConnectAtOnce;

    /// <summary>When something is to be done without a word of the broker; null when nothing is.</summary>
    public TimeSpan? DueIn
    {
        get
        {
            TimeSpan? due = _hanging.DueIn(_byExchange.Values);
            foreach (ExchangePublisher publisher in _byExchange.Values)
            {
                due = publisher.Limit.Value == 0 ? Earlier(due, publisher.Limit.ProbeIn) : due;
                due = publisher.WantsChannel ? Earlier(due, TimeSpan.FromMilliseconds(50)) : due;
            }

            foreach (TroubledKey key in _keys.All)
            {
                due = key is { Limit.Value: 0, WaitingFrom: not null } ? Earlier(due, key.Limit.ProbeIn) : due;
            }

            return Earlier(due, _alone.Left);
        }
    }

    /// <summary>The publisher of an exchange.</summary>
    public ExchangePublisher For(string exchange)
    {
        if (!_byExchange.TryGetValue(exchange, out ExchangePublisher? publisher))
        {
            publisher = new ExchangePublisher(exchange, NewLimit(), _settler, _keys);
            _byExchange.Add(exchange, publisher);
        }

        return publisher;
    }

    /// <summary>The broker could not answer until now. Any thread.</summary>
    public void ResetConfirmTimeout() => _hanging.Forgive();

    /// <summary>Probes these exchanges and routing keys now, should they be suspended.</summary>
    public void ProbeNow(IEnumerable<string> exchanges, IEnumerable<(string Exchange, string RoutingKey)> keys)
    {
        foreach (string exchange in exchanges)
        {
            For(exchange).Limit.ProbeNow();
        }

        foreach ((string exchange, string key) in keys)
        {
            _keys.Find(exchange, key)?.Limit.ProbeNow();
        }
    }

    /// <summary>Works off what the broker said. True if the loop is to look: more follows from it than the settlement of messages.</summary>
    /// <param name="forSpool">Also if the spool changed.</param>
    public bool TakeAnswers(bool forSpool = true)
    {
        bool attention = Interlocked.Exchange(ref _needsAttention, 0) != 0 || (forSpool && Volatile.Read(ref _spoolChanged) != 0);
        if (forSpool)
        {
            Volatile.Write(ref _spoolChanged, 0);
        }

        while (_events.TryTake(out BrokerEvent one))
        {
            ExchangePublisher publisher = one.Listener.Publisher;
            if (!publisher.Listens(one.Listener))
            {
                continue; // of a channel that is gone
            }

            switch (one.Kind)
            {
                case BrokerEventKind.Confirmed:
                    attention |= Answered(publisher, publisher.Confirmed(one.Tag, one.Multiple));
                    break;
                case BrokerEventKind.Nacked:
                    _ = Answered(publisher, publisher.Nacked(one.Tag, one.Multiple));
                    attention = true;
                    break;
                case BrokerEventKind.Returned:
                    publisher.Returned(one.Text!);
                    break;
                case BrokerEventKind.ChannelClosed when one.Code == 0:
                    break; // the connection is gone, and the forwarder tidies up
                case BrokerEventKind.ChannelClosed:
                    if (publisher.Closed(new ChannelFault(one.Code, one.Text!)) is { } closed)
                    {
                        _closed.Add(closed);
                    }

                    attention = true;
                    break;
                default:
                    throw new InvalidOperationException($"an event of kind {one.Kind}");
            }

            attention |= publisher.WaitingFrom is not null || publisher.WantsChannel || publisher.Yields;
        }

        return attention || _alone.Key is not null || _faults.IsIsolating;
    }

    /// <summary>Does what is due: disposes of closed channels, asks for missing exchanges, lets probes begin, hands channels on, looks for overdue messages.</summary>
    public async ValueTask TendAsync(BrokerConnection connection)
    {
        await DisposeClosedAsync();
        _hanging.Look(connection, _byExchange.Values, _settings.Window, _stopping);
        if (_faults.IsIsolating && _parts.Clock.GetElapsedTime(_isolatingSince) >= LoneProbe.PatienceOfConnection)
        {
            _faults.Forget();
        }

        foreach (ExchangePublisher publisher in _byExchange.Values)
        {
            await TendAsync(connection, publisher);
        }

        if (_byExchange.Values.Where(publisher => publisher.WantsChannel).MinBy(publisher => publisher.WantsChannelSince) is { } first
            && await _slots.MakeRoomAsync(connection, _byExchange.Values))
        {
            await OpenAsync(connection, first);
        }

        foreach (TroubledKey key in _keys.All)
        {
            key.Limit.TryProbe();
            if (key is { NeedsAlone: true, WaitingFrom: not null, Room: > 0 } && For(key.Exchange).Limit.Value > 0)
            {
                _alone.Begin(key);
            }
        }

        _alone.Look();
    }

    /// <summary>While the client takes no message: whether the broker answers at all is looked at all the same.</summary>
    public void LookMeanwhile(BrokerConnection connection)
    {
        if (connection.BlockedReason is null)
        {
            _hanging.Look(connection, _byExchange.Values, _settings.Window, _stopping);
        }
    }

    /// <summary>A connection held for long: whatever was suspected before is forgotten.</summary>
    public void Lasted() => _faults.Lasted();

    /// <summary>Publishes one message that entered the window.</summary>
    public async ValueTask PublishAsync(BrokerConnection connection, FeedMessage message, BrokerMessage encoded)
    {
        ExchangePublisher publisher = For(encoded.Exchange);
        if (!publisher.HasChannel && !await OpenAsync(connection, publisher))
        {
            Leave(publisher, message);
            return;
        }

        TroubledKey? key = _keys.Find(encoded.Exchange, message.RoutingKey);
        if (key is not null)
        {
            _alone.Sent(key);
        }

        await publisher.PublishAsync(connection, message, encoded, key);
    }

    /// <summary>Settles a message that entered the window and is not sent.</summary>
    public void Settle(FeedMessage message, PublishOutcome outcome, string? reason) => _settler.Settle(message, outcome, reason);

    /// <summary>The loop is to look again, whatever it waits for. Any thread.</summary>
    public void Wake()
    {
        Interlocked.Exchange(ref _needsAttention, 1);
        Changed.Set();
    }

    /// <summary>Something was committed to the spool: a loop that waits for messages goes on in this call.</summary>
    public void SpoolChanged()
    {
        Volatile.Write(ref _spoolChanged, 1);
        Changed.SetHere();
    }

    /// <summary>The connection ended, or is to end: takes the last words, closes the channels, finds whom to blame. What was out is read again.</summary>
    public async ValueTask ConnectionLostAsync(BrokerConnection connection, string? reason)
    {
        bool wasLost = connection.Lost.IsCompleted;
        TakeAnswers();
        List<(ExchangePublisher Publisher, FeedMessage Message)> left = [];
        foreach (ExchangePublisher publisher in _byExchange.Values)
        {
            if (!wasLost)
            {
                _settler.LoopLiveness.Beat();
                await publisher.CloseAsync();
            }

            left.AddRange(publisher.ConnectionLost().Select(message => (publisher, message)));
        }

        await DisposeClosedAsync();
        Blame(connection, left, reason ?? "");
        if (connection.WasRefusedChannel && _slots.Refused(connection.OpenChannels))
        {
            _parts.Log.ChannelsCapped(_settings.Name, _slots.Most!.Value);
        }

        Forget();
    }

    /// <summary>Forgets what is out, without a word to the broker.</summary>
    public void ConnectionLost()
    {
        TakeAnswers();
        foreach (ExchangePublisher publisher in _byExchange.Values)
        {
            publisher.ConnectionLost();
        }

        Forget();
    }

    private static TimeSpan? Earlier(TimeSpan? one, TimeSpan? other) => one is null || other < one ? other ?? one : one;

    private void Blame(BrokerConnection connection, List<(ExchangePublisher Publisher, FeedMessage Message)> left, string reason)
    {
        bool wasIsolating = _faults.IsIsolating;
        (long Seq, int Times)? guilty = _faults.Ended(connection.CloseCode, [.. left.Select(one => one.Message.Seq)]);
        if (guilty is { } found)
        {
            (ExchangePublisher publisher, FeedMessage message) = left.Single(one => one.Message.Seq == found.Seq);
            bool forGood = found.Times >= 2;
            publisher.Convict(message, forGood ? PublishOutcome.RefusedForGood : PublishOutcome.Refused, reason, ofConnection: true);
            if (forGood)
            {
                _faults.Settled(found.Seq);
            }
        }

        if (_faults.IsIsolating && !wasIsolating)
        {
            _isolatingSince = _parts.Clock.GetTimestamp();
            _parts.Log.IsolatingConnection(_settings.Name, reason);
        }

        if (connection.WasSilent)
        {
            left.ForEach(one => one.Publisher.Suspect(one.Message));
        }
    }

    private void Forget()
    {
        foreach (TroubledKey key in _keys.All)
        {
            key.LeftAll();
            key.StopWaiting();
        }

        _alone.Forget();
        _hanging.ConnectionLost();
    }

    private async ValueTask TendAsync(BrokerConnection connection, ExchangePublisher publisher)
    {
        if (publisher is { Limit.Value: 0, IsMissing: true } && publisher.Limit.ProbeIn == TimeSpan.Zero)
        {
            if (_slots.IsFreeForQuestion(connection) || await _slots.MakeRoomAsync(connection, _byExchange.Values))
            {
                _parts.LoopLiveness.Beat();
                publisher.Asked(await connection.AskForExchangeAsync(publisher.Exchange, _stopping));
            }
        }
        else
        {
            publisher.TryProbe();
        }

        if (publisher.Yields && !_byExchange.Values.Any(other => other.WantsChannel))
        {
            publisher.Yields = false;
        }
    }

    private async ValueTask<bool> OpenAsync(BrokerConnection connection, ExchangePublisher publisher)
    {
        if (!_slots.IsFree(connection))
        {
            publisher.WaitForChannel();
            return false;
        }

        try
        {
            _parts.LoopLiveness.Beat();
            await publisher.OpenAsync(connection, _events, _stopping);
            return true;
        }
        catch (NoChannelException)
        {
            if (_slots.Refused(connection.OpenChannels))
            {
                _parts.Log.ChannelsCapped(_settings.Name, _slots.Most!.Value);
            }

            publisher.WaitForChannel();
            return false;
        }
    }

    /// <summary>True if one of them has a routing key in trouble.</summary>
    private bool Answered(ExchangePublisher publisher, IReadOnlyList<FeedMessage> messages)
    {
        if (!_faults.IsIsolating && _keys.Count == 0)
        {
            return false;
        }

        bool troubled = false;
        foreach (FeedMessage message in messages)
        {
            _faults.Answered(message.Seq);
            troubled |= _keys.Find(publisher.Exchange, message.RoutingKey) is not null;
        }

        return troubled;
    }

    private void Leave(ExchangePublisher publisher, FeedMessage message)
    {
        _settler.Window.Leave(message);
        ((MessageFlow?)_keys.Find(publisher.Exchange, message.RoutingKey) ?? publisher).WaitFrom(message.Seq);
    }

    private async ValueTask DisposeClosedAsync()
    {
        while (_closed.Count > 0)
        {
            ConfirmedPublisher publisher = _closed[^1];
            _closed.RemoveAt(_closed.Count - 1);
            _settler.LoopLiveness.Beat();
            await publisher.DisposeAsync();
        }
    }

    private SendLimit NewLimit() => new(_settings.Window, RetrySchedule.ForRefusals(_parts.Random), _parts.Clock);
}
