using Quickq.Agent.Broker;
using Quickq.Agent.Feed;
using Quickq.Spool;

namespace Quickq.Agent.Forwarding;

/// <content>What the broker answers, and what follows from it for the lane.</content>
internal sealed partial class Lane
{
    void IConfirmListener.Confirmed(ulong tag, bool multiple)
    {
        lock (_gate)
        {
            foreach (FeedMessage message in TakeAnswered_NeedsLock(tag, multiple))
            {
                bool returned = _returned.Count > 0 && _returned.Remove(message.Id);
                _context.Settle(message, returned ? PublishOutcome.Unrouted : PublishOutcome.Confirmed, returned ? _context.UnroutedReason : null);
            }

            _nacksInRow = 0;
            if (_mode == Mode.Probing)
            {
                Resume_NeedsLock();
            }

            AdvanceSearch_NeedsLock();
        }
    }

    void IConfirmListener.Nacked(ulong tag, bool multiple)
    {
        lock (_gate)
        {
            foreach (FeedMessage message in TakeAnswered_NeedsLock(tag, multiple))
            {
                Nack_NeedsLock(message);
            }

            AdvanceSearch_NeedsLock();
        }
    }

    void IConfirmListener.Returned(string messageId, ushort code, string text)
    {
        lock (_gate)
        {
            // A broker returns what is out, and no more: another one fills no memory with it.
            if (_returned.Count < _unconfirmed.Count)
            {
                _returned.Add(messageId);
            }
        }
    }

    void IConfirmListener.ChannelClosed(ushort code, string text)
    {
        lock (_gate)
        {
            List<FeedMessage> inFlight = TakeAllUnconfirmed_NeedsLock();
            if (code == 0)
            {
                return; // the connection is gone, and the forwarder tidies up
            }

            _closings++;
            if (_publisher is { } publisher)
            {
                _closed.Add(publisher);
                _publisher = null;
            }

            Blame_NeedsLock(new ChannelFault(code, text), inFlight);
        }

        _context.Wake();
    }

    private void Blame_NeedsLock(ChannelFault fault, List<FeedMessage> inFlight)
    {
        IReadOnlyList<FeedMessage> guilty = fault.FindNamed(inFlight);
        if (guilty.Count == 0 && !fault.IsOfExchange && inFlight.Count > 0)
        {
            if (_search is null && inFlight.Count > 1)
            {
                _search = new SuspectSearch(inFlight);
                _mode = Mode.Isolating;
                return;
            }

            FeedMessage? found = _search is null ? inFlight[0] : _search.GroupFailed(inFlight);
            guilty = found is null ? [] : [found];
            if (found is null)
            {
                return; // the next group is smaller
            }
        }

        foreach (FeedMessage message in guilty)
        {
            _search?.Clear(message);
            _context.Settle(message, fault.Outcome, fault.Reason);
        }

        if (_search is not null && guilty.Count > 0)
        {
            AdvanceSearch_NeedsLock(); // the other suspects stay in the window and are sent again
            return;
        }

        GiveUpSearch_NeedsLock();
        LeaveAndLookAgain_NeedsLock(inFlight.Except(guilty));
        if (guilty.Count == 0)
        {
            _missing = fault.IsMissingExchange;
            Suspend_NeedsLock(fault.Reason);
        }
        else
        {
            LookAgain_NeedsLock();
        }
    }

    private void Nack_NeedsLock(FeedMessage message)
    {
        _returned.Remove(message.Id);
        if (_mode is Mode.Suspended or Mode.Probing)
        {
            // The exchange is at fault, not this message: it is not charged.
            LeaveAndLookAgain_NeedsLock([message]);
        }
        else
        {
            _nacksInRow++;
            _context.Settle(message, PublishOutcome.Nacked, "the broker refused it (nack): a queue may be full");
        }

        if (_mode == Mode.Probing || (_mode == Mode.Open && _nacksInRow >= NacksThatSuspend))
        {
            _missing = false;
            Suspend_NeedsLock("the broker refuses message after message (nack): a queue may be full");
        }
    }

    private List<FeedMessage> TakeAllUnconfirmed_NeedsLock()
    {
        _returned.Clear();
        _sweptTo = 1;
        return _unconfirmed.TakeAll();
    }

    private List<FeedMessage> TakeAnswered_NeedsLock(ulong tag, bool multiple)
    {
        _answered.Clear();
        _unconfirmed.Take(tag, multiple, _answered);
        _lastAnswerAt = _context.Clock.GetTimestamp();
        if (_search is { } search)
        {
            _answered.ForEach(search.Clear);
        }

        return _answered;
    }

    private void AdvanceSearch_NeedsLock()
    {
        if (_search is null || _unconfirmed.Count > 0)
        {
            return;
        }

        _search.GroupPassed();
        if (_search.IsOver)
        {
            _search = null;
            _mode = Mode.Open;
            LookAgain_NeedsLock();
        }

        _context.Wake();
    }

    /// <summary>A suspect is in the spool no more: nothing becomes of it.</summary>
    private void LetGo(FeedMessage message)
    {
        lock (_gate)
        {
            if (_search?.Left.Contains(message) is true)
            {
                _search.Clear(message);
                _context.Window.Leave(message);
                AdvanceSearch_NeedsLock();
            }
        }
    }

    private void GiveUpSearch_NeedsLock()
    {
        if (_search is { } search)
        {
            _search = null;
            LeaveAndLookAgain_NeedsLock(search.Left);
        }
    }

    private void LeaveAndLookAgain_NeedsLock(IEnumerable<FeedMessage> messages)
    {
        foreach (FeedMessage message in messages)
        {
            _context.Window.Leave(message);
            _skippedFrom = Math.Min(_skippedFrom ?? message.Seq, message.Seq);
        }
    }

    private void Suspend_NeedsLock(string reason)
    {
        _failures++;
        _probeAfter = _context.Schedule.DelayAfter(_failures);
        _suspendedAt = _context.Clock.GetTimestamp();
        _mode = Mode.Suspended;
        _context.ReportSuspended(reason, _probeAfter);
        _context.Wake();
    }

    // By the clock that no step of the wall clock moves: a probe is never further off than the longest back-off.
    private TimeSpan ProbeIn_NeedsLock() =>
        _probeAfter - _context.Clock.GetElapsedTime(_suspendedAt) is { Ticks: > 0 } left ? left : TimeSpan.Zero;

    /// <summary>It is time: where the exchange was missing it is asked for, else the next message is the probe.</summary>
    private async ValueTask ProbeAsync(BrokerConnection connection, bool ask)
    {
        string? stillMissing = ask ? await connection.AskForExchangeAsync(_context.Exchange, _context.Stopping) : null;
        lock (_gate)
        {
            if (stillMissing is not null)
            {
                Suspend_NeedsLock(stillMissing);
            }
            else if (ask)
            {
                Resume_NeedsLock();
            }
            else
            {
                _mode = Mode.Probing;
                LookAgain_NeedsLock();
            }
        }
    }

    private void Resume_NeedsLock()
    {
        _failures = 0;
        _mode = Mode.Open;
        LookAgain_NeedsLock();
        _context.ReportResumed();
        _context.Wake();
    }

    private void LookAgain_NeedsLock()
    {
        if (_skippedFrom is { } from)
        {
            _rewindTo = Math.Min(_rewindTo ?? from, from);
            _skippedFrom = null;
        }
    }
}
