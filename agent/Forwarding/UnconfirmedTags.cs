using Quickq.Agent.Feed;

namespace Quickq.Agent.Forwarding;

/// <summary>Which message has which delivery tag on one channel: a ring in the order of publishing, and aside what is overdue. Belongs to one thread.</summary>
/// <remarks>What hangs is taken out of the ring, so that the ring stays as small as what is out.</remarks>
internal sealed class UnconfirmedTags
{
    private readonly SortedDictionary<ulong, OverdueMessage> _overdue = [];
    private Entry[] _ring = new Entry[64];
    private ulong _lowest = 1;  // the tag at the head of the ring
    private ulong _next = 1;    // the tag that the next message gets
    private ulong _furthest;    // the highest tag that was answered

    /// <summary>How many messages await an answer and are not overdue.</summary>
    public int Count { get; private set; }

    /// <summary>Those that are overdue, in the order of publishing: an answer that comes late still finds them.</summary>
    public IReadOnlyCollection<OverdueMessage> Overdue => _overdue.Values;

    /// <summary>The tag that <see cref="Add"/> gives next.</summary>
    public ulong NextTag => _next;

    /// <summary>When the oldest of those that count was sent; null when there is none.</summary>
    public long? OldestSentAt => Count == 0 ? null : _ring[Slot(_lowest)].SentAt;

    /// <summary>Appends a message under the next tag.</summary>
    public void Add(FeedMessage message, long sentAt)
    {
        if (_next - _lowest == (ulong)_ring.Length)
        {
            Grow();
        }

        _ring[Slot(_next)] = new Entry(message, sentAt);
        _next++;
        Count++;
    }

    /// <summary>Takes out the message with this tag, or all up to it, in the order of publishing.</summary>
    public void Take(ulong tag, bool multiple, List<FeedMessage> into)
    {
        // Tag 0 with multiple means all (AMQP 0-9-1, basic.ack).
        ulong last = multiple && tag == 0 ? _next - 1 : tag;
        if (last >= _next)
        {
            return; // never published: nothing to answer
        }

        if (_overdue.Count > 0)
        {
            TakeOverdue(last, multiple, into);
        }

        _furthest = Math.Max(_furthest, last);
        for (ulong at = multiple ? _lowest : Math.Max(last, _lowest); at <= last; at++)
        {
            if (_ring[Slot(at)].Message is { } message)
            {
                into.Add(message);
                Clear(at);
            }
        }

        MoveLowest();
    }

    /// <summary>Moves aside what was sent before a moment and is passed by: a later message was answered. All of that time if the channel is silent.</summary>
    /// <param name="sentBefore">The moment.</param>
    /// <param name="silent">The channel answers nothing at all.</param>
    /// <param name="mayGo">Asked for each; what may not go stays.</param>
    public void SetOverdue(long sentBefore, bool silent, Func<FeedMessage, bool> mayGo)
    {
        for (ulong tag = _lowest; tag < _next && (silent || tag < _furthest); tag++)
        {
            Entry entry = _ring[Slot(tag)];
            if (entry.Message is { } message)
            {
                if (entry.SentAt > sentBefore)
                {
                    break;
                }

                if (mayGo(message))
                {
                    _overdue.Add(tag, new OverdueMessage(message, tag, entry.SentAt));
                    Clear(tag);
                }
            }
        }

        MoveLowest();
    }

    /// <summary>Whether something that was sent before the moment was passed by a later one.</summary>
    public bool HasPassedBy(long sentBefore) => Count > 0 && _lowest < _furthest && _ring[Slot(_lowest)].SentAt <= sentBefore;

    /// <summary>An answer that comes for it from now on is of no interest.</summary>
    public void Forget(OverdueMessage overdue) => _overdue.Remove(overdue.Tag);

    /// <summary>Undoes the last <see cref="Add"/>, of a message that was not sent after all.</summary>
    public void TakeBack(FeedMessage message)
    {
        if (_next > _lowest && ReferenceEquals(_ring[Slot(_next - 1)].Message, message))
        {
            _next--;
            Clear(_next);
            MoveLowest();
        }
    }

    /// <summary>Takes out all messages, the overdue ones too, and starts again at tag 1, for a new channel.</summary>
    public List<FeedMessage> TakeAll()
    {
        var all = new List<FeedMessage>(Count + _overdue.Count);
        Take(0, multiple: true, all);
        (_lowest, _next, _furthest) = (1, 1, 0);
        return all;
    }

    private void TakeOverdue(ulong last, bool multiple, List<FeedMessage> into)
    {
        if (!multiple)
        {
            if (_overdue.Remove(last, out OverdueMessage? one))
            {
                into.Add(one.Message);
            }

            return;
        }

        foreach (OverdueMessage overdue in _overdue.Values.TakeWhile(overdue => overdue.Tag <= last).ToArray())
        {
            into.Add(overdue.Message);
            _overdue.Remove(overdue.Tag);
        }
    }

    private void Clear(ulong tag)
    {
        _ring[Slot(tag)] = default;
        Count--;
    }

    private void MoveLowest()
    {
        while (_lowest < _next && _ring[Slot(_lowest)].Message is null)
        {
            _lowest++;
        }
    }

    private int Slot(ulong tag) => (int)(tag & (ulong)(_ring.Length - 1));

    private void Grow()
    {
        var larger = new Entry[_ring.Length * 2];
        for (ulong tag = _lowest; tag < _next; tag++)
        {
            larger[(int)(tag & (ulong)(larger.Length - 1))] = _ring[Slot(tag)];
        }

        _ring = larger;
    }

    private readonly record struct Entry(FeedMessage? Message, long SentAt);
}

/// <summary>A message that is unanswered for so long that nobody waits for it any more.</summary>
internal sealed class OverdueMessage(FeedMessage message, ulong tag, long sentAt)
{
    public FeedMessage Message => message;

    public ulong Tag => tag;

    public long SentAt => sentAt;

    /// <summary>It is deferred; a late confirm still settles it.</summary>
    public bool IsDeferred { get; set; }
}
