using Quickq.Agent.Feed;

namespace Quickq.Agent.Forwarding;

/// <summary>Which message has which delivery tag on one channel: a ring in the order of publishing. Not thread-safe; the lane locks.</summary>
internal sealed class UnconfirmedTags
{
    private FeedMessage?[] _ring = new FeedMessage?[64];
    private ulong _lowest = 1;  // the tag at the head of the ring
    private ulong _next = 1;    // the tag that the next message gets

    /// <summary>How many messages await an answer.</summary>
    public int Count { get; private set; }

    /// <summary>The tag that <see cref="Add"/> gives next.</summary>
    public ulong NextTag => _next;

    /// <summary>Appends a message under the next tag.</summary>
    public void Add(FeedMessage message)
    {
        if (_next - _lowest == (ulong)_ring.Length)
        {
            Grow();
        }

        _ring[Slot(_next)] = message;
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

        for (ulong at = multiple ? _lowest : Math.Max(last, _lowest); at <= last; at++)
        {
            if (_ring[Slot(at)] is { } message)
            {
                into.Add(message);
                _ring[Slot(at)] = null;
                Count--;
            }
        }

        while (_lowest < _next && _ring[Slot(_lowest)] is null)
        {
            _lowest++;
        }
    }

    /// <summary>Undoes the last <see cref="Add"/>, of a message that was not sent after all.</summary>
    public void TakeBack(FeedMessage message)
    {
        if (_next > _lowest && ReferenceEquals(_ring[Slot(_next - 1)], message))
        {
            _next--;
            _ring[Slot(_next)] = null;
            Count--;
        }
    }

    /// <summary>Takes out all messages and starts anew at tag 1, for a new channel.</summary>
    public List<FeedMessage> TakeAll()
    {
        var all = new List<FeedMessage>(Count);
        Take(0, multiple: true, all);
        (_lowest, _next) = (1, 1);
        return all;
    }

    private int Slot(ulong tag) => (int)(tag & (ulong)(_ring.Length - 1));

    private void Grow()
    {
        var larger = new FeedMessage?[_ring.Length * 2];
        for (ulong tag = _lowest; tag < _next; tag++)
        {
            larger[(int)(tag & (ulong)(larger.Length - 1))] = _ring[Slot(tag)];
        }

        _ring = larger;
    }
}
