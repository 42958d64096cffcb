using Quickq.Agent.Broker;
using Quickq.Agent.Feed;
using Quickq.Spool;

namespace Quickq.Agent.Forwarding;

/// <summary>
/// The way to one exchange of one server: a channel of its own, so that a fault of one exchange stops no other, and order holds within it.
/// </summary>
/// <remarks>
/// States. <b>Open</b>: publishes. <b>Suspended</b>: the broker refuses the exchange (missing, forbidden, eight nacks in a row); nothing is sent, no row
/// is rewritten or charged, until a probe is due; one that was missing is asked for first. <b>Probing</b>: one message is out to see whether it is
/// taken again. <b>Isolating</b>: one of those in flight made the broker close the channel; they are sent again in groups until it is found.
/// Threads: the forwarder calls everything but the <see cref="IConfirmListener"/> members, which come from the client's reader; one lock guards both.
/// Messages of a lane that does not accept are skipped by the forwarder; <see cref="TakeRewind"/> later says from where to look again.
/// </remarks>
internal sealed partial class Lane : IConfirmListener, IAsyncDisposable
{
    private const int NacksThatSuspend = 8;

    private readonly LaneContext _context;
    private readonly Lock _gate = new();
    private readonly UnconfirmedTags _unconfirmed = new();
    private readonly HashSet<string> _returned = new(StringComparer.Ordinal);
    private readonly List<FeedMessage> _answered = [];
    private readonly List<ConfirmedPublisher> _closed = [];
    private ConfirmedPublisher? _publisher;
    private SuspectSearch? _search;
    private Mode _mode = Mode.Open;
    private int _failures;
    private int _nacksInRow;
    private bool _missing;
    private long _suspendedAt;
    private TimeSpan _probeAfter;
    private ulong _sweptTo = 1;
    private int _closings;
    private long _lastAnswerAt;
    private long? _skippedFrom;
    private long? _rewindTo;

    public Lane(LaneContext context) => _context = context;

    private enum Mode
    {
        Open,
        Suspended,
        Probing,
        Isolating,
    }

    /// <summary>Whether a message may be published now. Not before the feed has gone back for what a closed channel took with it: order wants that.</summary>
    public bool Accepts
    {
        get
        {
            lock (_gate)
            {
                return _rewindTo is null && (_mode == Mode.Open || (_mode == Mode.Probing && _unconfirmed.Count == 0));
            }
        }
    }

    /// <summary>When the lane wants <see cref="AdvanceAsync"/>: zero is now, null is not before something happens.</summary>
    public TimeSpan? DueIn
    {
        get
        {
            lock (_gate)
            {
                return _mode switch
                {
                    Mode.Suspended => ProbeIn_NeedsLock(),
                    Mode.Isolating when _unconfirmed.Count == 0 => TimeSpan.Zero,
                    _ => null,
                };
            }
        }
    }

    /// <summary>For how long messages have been out without any answer; null when none are out.</summary>
    public TimeSpan? Silence
    {
        get
        {
            lock (_gate)
            {
                return _unconfirmed.Count == 0 ? null : _context.Clock.GetElapsedTime(_lastAnswerAt);
            }
        }
    }

    /// <summary>Notes that a message was passed by because the lane does not accept.</summary>
    public void Skip(long seq)
    {
        lock (_gate)
        {
            _skippedFrom = Math.Min(_skippedFrom ?? seq, seq);
        }
    }

    /// <summary>The message from which the feed must look again because the lane accepts again; once.</summary>
    public long? TakeRewind()
    {
        lock (_gate)
        {
            long? rewind = _rewindTo;
            _rewindTo = null;
            _skippedFrom = _skippedFrom >= rewind ? null : _skippedFrom;
            return rewind;
        }
    }

    /// <summary>Probes when it is time, however long the schedule would still wait.</summary>
    public void ProbeNow()
    {
        lock (_gate)
        {
            _probeAfter = TimeSpan.Zero;
        }
    }

    /// <summary>Defers what was out already at the last call and is unanswered still.</summary>
    public void DeferOverdue()
    {
        lock (_gate)
        {
            foreach (FeedMessage message in _sweptTo > 1 ? TakeAnswered_NeedsLock(_sweptTo - 1, multiple: true) : [])
            {
                _returned.Remove(message.Id);
                _context.Settle(message, PublishOutcome.Unanswered, "no confirm came for it, although others were confirmed: one of its queues may hang");
            }

            _sweptTo = _unconfirmed.NextTag;
            AdvanceSearch_NeedsLock();
        }
    }

    /// <summary>Publishes one message that entered the window. Its answer goes to the window.</summary>
    public ValueTask PublishAsync(BrokerConnection connection, FeedMessage message, BrokerMessage encoded) => PublishAsync(connection, message, encoded, closings: null);

    /// <summary>Does what is due: disposes closed channels, begins a probe, sends the next group of suspects.</summary>
    /// <param name="connection">The connection in use.</param>
    /// <param name="encode">Gives a suspect as it was sent before; null when the spool has it no more.</param>
    public async ValueTask AdvanceAsync(BrokerConnection connection, Func<FeedMessage, BrokerMessage?> encode)
    {
        await DisposeClosedAsync();
        bool due, ask;
        int closings;
        IReadOnlyList<FeedMessage> group = [];
        lock (_gate)
        {
            closings = _closings;
            due = _mode == Mode.Suspended && ProbeIn_NeedsLock() == TimeSpan.Zero;
            ask = due && _missing;
            if (_mode == Mode.Isolating && _unconfirmed.Count == 0)
            {
                group = _search!.NextGroup();
            }
        }

        if (due)
        {
            await ProbeAsync(connection, ask);
        }

        foreach (FeedMessage message in group)
        {
            // Should the channel close amid the group, the rest of it stays: order wants that.
            if (encode(message) is { } encoded)
            {
                await PublishAsync(connection, message, encoded, closings);
            }
            else
            {
                LetGo(message);
            }
        }
    }

    /// <summary>Settles a message that entered the window and is not sent.</summary>
    public void Settle(FeedMessage message, PublishOutcome outcome, string? reason) => _context.Settle(message, outcome, reason);

    private async ValueTask PublishAsync(BrokerConnection connection, FeedMessage message, BrokerMessage encoded, int? closings)
    {
        _context.Pulse.Beat();
        ConfirmedPublisher? publisher = _publisher;
        if (publisher is null)
        {
            publisher = await connection.OpenPublisherAsync(this, _context.Stopping);
            lock (_gate)
            {
                _publisher = publisher;
            }
        }

        lock (_gate)
        {
            bool mayGo = closings is { } then ? then == _closings : _search is null && _rewindTo is null && _mode != Mode.Suspended;
            if (!mayGo || !ReferenceEquals(publisher, _publisher))
            {
                // The channel closed since, and this message was not in flight: a suspect goes out with the next group, any other is simply read again.
                if (closings is null)
                {
                    LeaveAndLookAgain_NeedsLock([message]);
                    if (_mode == Mode.Open)
                    {
                        LookAgain_NeedsLock();
                    }
                }

                return;
            }

            if (_unconfirmed.Count == 0)
            {
                _lastAnswerAt = _context.Clock.GetTimestamp();
            }

            _unconfirmed.Add(message);
        }

        try
        {
            await publisher.PublishAsync(encoded, _context.Mandatory);
        }
        catch (UnsendableMessageException unsendable)
        {
            // Nothing went out and no tag was used.
            lock (_gate)
            {
                _unconfirmed.TakeBack(message);
                _search?.Clear(message);
                _context.Settle(message, PublishOutcome.Unencodable, unsendable.Message);
            }
        }
        catch (BrokerUnavailableException) when (!connection.Lost.IsCompleted)
        {
            // Only the channel closed, just now: ChannelClosed has the message among those in flight and says what becomes of it.
        }
    }

    /// <summary>The connection is gone. The forwarder empties the window and reads everything anew.</summary>
    public void ConnectionLost()
    {
        lock (_gate)
        {
            TakeAllUnconfirmed_NeedsLock();
            _search = null;
            _publisher = null;
            (_rewindTo, _skippedFrom) = (null, null);
            _mode = _mode switch
            {
                Mode.Probing => Mode.Suspended,
                Mode.Isolating => Mode.Open,
                _ => _mode,
            };

            // Whatever ended the connection may have changed the exchange as well.
            _probeAfter = TimeSpan.Zero;
        }
    }

    public async ValueTask DisposeAsync()
    {
        ConfirmedPublisher? publisher = _publisher;
        _publisher = null;
        if (publisher is not null)
        {
            await publisher.DisposeAsync();
        }

        _context.Pulse.Beat();
        await DisposeClosedAsync();
    }

    private async ValueTask DisposeClosedAsync()
    {
        ConfirmedPublisher[] closed;
        lock (_gate)
        {
            closed = [.. _closed];
            _closed.Clear();
        }

        foreach (ConfirmedPublisher publisher in closed)
        {
            _context.Pulse.Beat();
            await publisher.DisposeAsync();
        }
    }
}
