using Quickq.Agent.Broker;
using Quickq.Agent.Feed;

namespace Quickq.Agent.Forwarding;

/// <summary>Publishes the messages of one exchange on a channel of its own, and takes what the broker answers. Order holds within it.</summary>
/// <remarks>
/// Belongs to the forwarder's loop: the broker's words reach it as events, one after the other. What is left without an outcome leaves the window uncharged and is read
/// again from <see cref="MessageFlow.WaitingFrom"/>, in order. Outlives connections.
/// </remarks>
internal sealed class ExchangePublisher(string exchange, SendLimit limit, Settler settler, TroubledKeys keys) : MessageFlow(exchange, limit)
{
    private readonly UnconfirmedTags _unconfirmed = new();
    private readonly HashSet<string> _returned = new(StringComparer.Ordinal);
    private readonly List<FeedMessage> _answered = [];
    private ConfirmedPublisher? _channel;
    private ChannelListener? _listener;
    private FeedMessage? _taking;
    private long _answeredAt;
    private bool _isReported;

    public override string? RoutingKey => null;

    public override int Out => _unconfirmed.Count;

    public bool HasChannel => _channel is not null;

    /// <summary>When the channel was opened.</summary>
    public long OpenedAt { get; private set; }

    /// <summary>When it was last of use: something was sent or answered.</summary>
    public long UsedAt => _answeredAt;

    /// <summary>Nothing is out that a close of the channel would repeat.</summary>
    public bool IsIdle => HasChannel && Out == 0 && _unconfirmed.Overdue.All(overdue => overdue.IsDeferred);

    /// <summary>There is no such exchange, as far as is known: it is asked for before anything is sent.</summary>
    public bool IsMissing { get; private set; }

    /// <summary>No channel was free for it.</summary>
    public bool WantsChannel => WantsChannelSince is not null;

    /// <summary>Since when it waits for a channel.</summary>
    public long? WantsChannelSince { get; private set; }

    /// <summary>It is to send nothing more, so that its channel gets idle and another exchange has its turn.</summary>
    public bool Yields { get; set; }

    /// <summary>Whether it may read and send, as far as the exchange is concerned.</summary>
    public bool IsOpen => Room > 0 && !WantsChannel && !Yields;

    /// <summary>Whether the feed's next message may be sent. Not while an earlier one waits: order wants that.</summary>
    public bool Accepts => IsOpen && WaitingFrom is null;

    /// <summary>For how long messages have been out without any answer; null when none are out.</summary>
    public TimeSpan? Silence => Out == 0 ? null : settler.Clock.GetElapsedTime(_answeredAt);

    /// <summary>When the oldest message that counts was sent.</summary>
    public long? OldestSentAt => _unconfirmed.OldestSentAt;

    /// <summary>The numbers of all that have no answer, overdue ones too.</summary>
    public IReadOnlyCollection<OverdueMessage> Overdue => _unconfirmed.Overdue;

    /// <summary>Whether what comes from this listener is for the channel in use.</summary>
    public bool Listens(ChannelListener listener) => ReferenceEquals(listener, _listener);

    /// <summary>It waits until a channel is free for it.</summary>
    public void WaitForChannel() => WantsChannelSince ??= settler.Clock.GetTimestamp();

    /// <summary>Opens the channel.</summary>
    /// <exception cref="NoChannelException">The broker grants no more of them.</exception>
    public async ValueTask OpenAsync(BrokerConnection connection, BrokerEvents events, CancellationToken stopping)
    {
        var listener = new ChannelListener(this, events);
        _channel = await connection.OpenPublisherAsync(listener, stopping);
        _listener = listener;
        OpenedAt = _answeredAt = settler.Clock.GetTimestamp();
        (WantsChannelSince, Yields) = (null, false);
    }

    /// <summary>Publishes one message that entered the window. Its answer comes as an event.</summary>
    public async ValueTask PublishAsync(BrokerConnection connection, FeedMessage message, BrokerMessage encoded, TroubledKey? key)
    {
        settler.LoopLiveness.Beat();
        if (_channel is not { IsClosed: false } channel)
        {
            Leave(message); // its end is among the events
            return;
        }

        long now = settler.Clock.GetTimestamp();
        _answeredAt = Out == 0 ? now : _answeredAt;
        _unconfirmed.Add(message, now);
        key?.Sent(message.Seq);
        _taking = message;
        try
        {
            await channel.PublishAsync(encoded, settler.Mandatory);
        }
        catch (UnsendableMessageException unsendable)
        {
            // Nothing was sent and no tag was used.
            _unconfirmed.TakeBack(message);
            key?.Left(message.Seq);
            settler.Settle(message, PublishOutcome.Unencodable, unsendable.Message);
        }
        catch (BrokerUnavailableException) when (!connection.Lost.IsCompleted)
        {
            // Only the channel closed, just now, and the client had not taken the message: it was not among those that were out.
            _unconfirmed.TakeBack(message);
            Leave(message);
        }
        finally
        {
            _taking = null;
        }
    }

    /// <summary>Messages are delivered, or were routed to no queue.</summary>
    public IReadOnlyList<FeedMessage> Confirmed(ulong tag, bool multiple)
    {
        foreach (FeedMessage message in TakeAnswered(tag, multiple))
        {
            bool returned = _returned.Count > 0 && _returned.Remove(message.Id);
            Answered();
            if (keys.Find(Exchange, message.RoutingKey) is { } key && key.Confirmed(message.Seq) && key is { Out: 0, WaitingFrom: null })
            {
                Untroubled(key);
            }

            settler.Settle(message, returned ? PublishOutcome.Unrouted : PublishOutcome.Confirmed, returned ? settler.UnroutedReason : null);
        }

        return _answered;
    }

    /// <summary>Messages are refused: each routing key of theirs is in trouble, the exchange is not.</summary>
    public IReadOnlyList<FeedMessage> Nacked(ulong tag, bool multiple)
    {
        foreach (FeedMessage message in TakeAnswered(tag, multiple))
        {
            _returned.Remove(message.Id);
            Answered();
            if (!keys.TryAdd(Exchange, message.RoutingKey, out TroubledKey? key, out bool isNew) || key.Left(message.Seq) || isNew || key.Limit.Value > 0)
            {
                const string reason = "the broker refused it (nack): a queue may be full";
                settler.Settle(message, PublishOutcome.Nacked, reason);
                Suspend(key, isNew, reason);
            }
            else
            {
                Leave(message); // the key is at fault, not this message: it is not charged
            }
        }

        return _answered;
    }

    /// <summary>A message was routed to no queue; its confirm follows.</summary>
    public void Returned(string messageId)
    {
        // A broker returns what is out, and no more: another one fills no memory with it.
        if (_returned.Count < Out + Overdue.Count)
        {
            _returned.Add(messageId);
        }
    }

    /// <summary>The broker closed the channel. Returns it, to be disposed of.</summary>
    public ConfirmedPublisher? Closed(ChannelFault fault)
    {
        ConfirmedPublisher? closed = _channel;
        (_channel, _listener) = (null, null);
        List<FeedMessage> inFlight = TakeUnsettled();
        if (_taking is { } notSent && inFlight.Remove(notSent))
        {
            Leave(notSent);
        }

        IReadOnlyList<FeedMessage> guilty = fault.FindNamed(inFlight);
        if (guilty.Count == 0 && fault.IsOfExchange)
        {
            IsMissing = fault.IsMissingExchange;
            SuspendAll(fault.Reason);
        }
        else if (guilty.Count == 0 && inFlight.Count > 0)
        {
            guilty = Limit.Closed(inFlight.Count) ? inFlight : [];
            if (guilty.Count == 0)
            {
                settler.ReportIsolating(Exchange, fault.Reason);
            }
        }

        foreach (FeedMessage message in inFlight)
        {
            if (guilty.Contains(message))
            {
                Convict(message, fault.Outcome, fault.Reason);
            }
            else
            {
                Leave(message);
            }
        }

        return closed;
    }

    /// <summary>Settles a message as the one that made the broker close the channel, or the whole connection.</summary>
    public void Convict(FeedMessage message, PublishOutcome outcome, string reason, bool ofConnection = false)
    {
        settler.Settle(message, outcome, reason);
        TroubledKey? key = keys.Find(Exchange, message.RoutingKey);
        bool isNew = false;
        if (outcome is PublishOutcome.RefusedForGood)
        {
            // Perhaps it was the message, not its key: the next one is tried at once, with the same care.
            key?.Left(message.Seq);
            key?.Limit.ProbeNow();
        }
        else if (key is not null || keys.TryAdd(Exchange, message.RoutingKey, out key, out isNew))
        {
            key.Left(message.Seq);
            if (ofConnection)
            {
                key.CloseConnection();
            }

            key.CloseChannel();
            Suspend(key, isNew, reason);
        }
    }

    /// <summary>The exchange is there, or may be: one message is sent to see.</summary>
    public bool TryProbe() => Limit.TryProbe();

    /// <summary>The broker was asked: the exchange is there again, or still missing.</summary>
    public void Asked(string? stillMissing)
    {
        if (stillMissing is not null)
        {
            SuspendAll(stillMissing);
            return;
        }

        IsMissing = false;
        Limit.ProbeNow();
        Limit.TryProbe();
        Resumed();
    }

    /// <summary>What was sent before a moment and is unanswered, although the broker answers, counts no longer: its routing key is in trouble.</summary>
    public void SetOverdue(long sentBefore, bool silent)
    {
        _unconfirmed.SetOverdue(sentBefore, silent, message =>
        {
            if (!settler.Window.SetAside(message.Seq))
            {
                return false;
            }

            if (keys.TryAdd(Exchange, message.RoutingKey, out TroubledKey? key, out bool isNew) && (key.Left(message.Seq) || isNew || key.Limit.Value > 0))
            {
                Suspend(key, isNew, "no confirm came within 2 s, although the broker answers: one of its queues may hang", unanswered: true);
            }

            return true;
        });
    }

    /// <summary>Defers what was sent before a moment and is unanswered still. A late confirm settles it all the same.</summary>
    /// <param name="sentBefore">The moment.</param>
    /// <param name="most">So many of those that are deferred are remembered.</param>
    public void DeferOverdue(long sentBefore, int most)
    {
        int deferred = 0;
        foreach (OverdueMessage overdue in Overdue.ToArray())
        {
            if (!overdue.IsDeferred && overdue.SentAt <= sentBefore)
            {
                overdue.IsDeferred = true;
                settler.Settle(overdue.Message, PublishOutcome.Unanswered, "no confirm came for it, although others were confirmed: one of its queues may hang");
            }

            deferred += overdue.IsDeferred ? 1 : 0;
        }

        foreach (OverdueMessage oldest in Overdue.Where(overdue => overdue.IsDeferred).Take(deferred - most).ToArray())
        {
            _unconfirmed.Forget(oldest);
        }
    }

    /// <summary>Whether something that was sent before the moment was passed by a later one.</summary>
    public bool HasPassedBy(long sentBefore) => _unconfirmed.HasPassedBy(sentBefore);

    /// <summary>Closes the channel; it must be idle.</summary>
    public async ValueTask CloseAsync()
    {
        ConfirmedPublisher? channel = _channel;
        (_channel, _listener, Yields) = (null, null, false);
        TakeUnsettled();
        if (channel is not null)
        {
            settler.LoopLiveness.Beat();
            await channel.DisposeAsync();
        }
    }

    /// <summary>The connection is gone. Returns what was out without an outcome: the forwarder empties the window and reads everything again.</summary>
    public List<FeedMessage> ConnectionLost()
    {
        List<FeedMessage> left = TakeUnsettled();
        (_channel, _listener) = (null, null);
        (WantsChannelSince, Yields) = (null, false);
        StopWaiting();

        // Whatever ended the connection may have changed the exchange as well.
        Limit.ProbeNow();
        return left;
    }

    /// <summary>The key's message was unanswered when the connection was closed for that.</summary>
    public void Suspect(FeedMessage message)
    {
        if (keys.TryAdd(Exchange, message.RoutingKey, out TroubledKey? key, out bool isNew) && key.Limit.Value > 0)
        {
            Suspend(key, isNew, "no confirm came, and the broker stopped reading: one of its queues may hang", unanswered: true);
        }
    }

    private void Suspend(TroubledKey? key, bool isNew, string reason, bool unanswered = false)
    {
        if (key is not null)
        {
            settler.ReportTroubled(key, key.Suspend(reason, unanswered), isNew);
        }
    }

    private void Untroubled(TroubledKey key)
    {
        keys.Remove(key);
        settler.ReportUntroubled(key);
    }

    private void Leave(FeedMessage message)
    {
        settler.Window.Leave(message);
        TroubledKey? key = keys.Find(Exchange, message.RoutingKey);
        key?.Left(message.Seq);
        ((MessageFlow?)key ?? this).WaitFrom(message.Seq);
    }

    private void Answered()
    {
        Limit.Answered();
        Resumed();
    }

    private void SuspendAll(string reason)
    {
        _isReported = true;
        settler.ReportSuspended(Exchange, reason, Limit.Suspend());
    }

    private void Resumed()
    {
        if (_isReported)
        {
            _isReported = false;
            settler.ReportResumed(Exchange);
        }
    }

    /// <summary>All that is out, but what was deferred for its silence: that has an outcome.</summary>
    private List<FeedMessage> TakeUnsettled()
    {
        _returned.Clear();
        foreach (OverdueMessage deferred in Overdue.Where(overdue => overdue.IsDeferred).ToArray())
        {
            _unconfirmed.Forget(deferred);
        }

        return _unconfirmed.TakeAll();
    }

    private List<FeedMessage> TakeAnswered(ulong tag, bool multiple)
    {
        _answered.Clear();
        _unconfirmed.Take(tag, multiple, _answered);
        _answeredAt = settler.Clock.GetTimestamp();
        return _answered;
    }
}
