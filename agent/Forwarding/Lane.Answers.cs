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
            List<FeedMessage> nacked = TakeAnswered_NeedsLock(tag, multiple);
            _nacksInRow += nacked.Count;
            foreach (FeedMessage message in nacked)
            {
                _returned.Remove(message.Id);
                if (_mode is Mode.Suspended or Mode.Probing)
                {
                    // The exchange is at fault, not this message: it is not charged.
                    _context.Window.Leave(message);
                    _skippedFrom = Math.Min(_skippedFrom ?? message.Seq, message.Seq);
                }
                else
                {
                    _context.Settle(message, PublishOutcome.Nacked, "the broker refused it (nack): a queue may be full");
                }
            }

            if (_mode == Mode.Probing || (_mode == Mode.Open && _nacksInRow >= NacksThatSuspend))
            {
                Suspend_NeedsLock("the broker refuses message after message (nack): a queue may be full");
            }

            AdvanceSearch_NeedsLock();
        }
    }

    void IConfirmListener.Returned(string messageId, ushort code, string text)
    {
        lock (_gate)
        {
            _returned.Add(messageId);
        }
    }

    void IConfirmListener.ChannelClosed(ushort code, string text)
    {
        lock (_gate)
        {
            List<FeedMessage> inFlight = _unconfirmed.TakeAll();
            _returned.Clear();
            if (code == 0)
            {
                return; // the connection is gone, and the forwarder tidies up
            }

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
            AdvanceSearch_NeedsLock(); // the other suspects stay in the window and are sent again from memory
            return;
        }

        GiveUpSearch_NeedsLock();
        LeaveAndLookAgain_NeedsLock(inFlight.Except(guilty));
        if (guilty.Count == 0)
        {
            Suspend_NeedsLock(fault.Reason);
        }
        else
        {
            LookAgain_NeedsLock();
        }
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
        TimeSpan delay = _context.Schedule.DelayAfter(_failures);
        (_suspendedAt, _probeAfter) = (_context.Clock.GetTimestamp(), delay);
        _mode = Mode.Suspended;
        _context.ReportSuspended(reason, delay, _context.Clock.NowMicroseconds() + (delay.Ticks / TimeSpan.TicksPerMicrosecond));
        _context.Wake();
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
