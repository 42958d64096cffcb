using Quickq.Agent.Feed;
using Quickq.Agent.Ledger;

namespace Quickq.Agent.Forwarding;

/// <summary>
/// Bounds what one server has in flight: published, or settled with the settlement not yet committed. This is what a crash repeats.
/// </summary>
/// <remarks>
/// Two threads meet here: the forwarder's loop enters messages and settles them, the ledger takes the settlements and commits them.
/// What is set aside (a queue hangs) does not count, up to one more window. A message leaves only by <see cref="Committed"/>, or by <see cref="Leave"/> when its outcome will never be known and it must be sent again.
/// </remarks>
internal sealed class InFlightWindow(long server, int maxCount, long maxBytes) : ISettlementSource
{
    private readonly Lock _gate = new();
    private readonly Dictionary<long, int> _bytesBySeq = new(maxCount);
    private readonly HashSet<long> _committedSincePage = [];
    private readonly HashSet<long> _aside = [];
    private List<Settlement> _settled = new(maxCount);
    private List<Settlement> _committing = new(maxCount);
    private long _bytes;
    private long _asideBytes;
    private int _wantedCount;
    private long _wantedBytes;
    private TaskCompletionSource? _roomWanted;
    private string? _endpoint;
    private long _settledCount;

    /// <summary>How many messages are in flight.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _bytesBySeq.Count;
            }
        }
    }

    /// <summary>How many messages were ever settled.</summary>
    public long SettledCount
    {
        get
        {
            lock (_gate)
            {
                return _settledCount;
            }
        }
    }

    /// <summary>Where the answers come from now; written with each settlement.</summary>
    public void SetEndpoint(string endpoint)
    {
        lock (_gate)
        {
            _endpoint = endpoint;
        }
    }

    /// <summary>How many messages and bytes may still enter. One message larger than the whole window may enter when it is alone.</summary>
    public (int Count, long Bytes) Room()
    {
        lock (_gate)
        {
            return Room_NeedsLock();
        }
    }

    /// <summary>Completes when at least <paramref name="count"/> more messages of <paramref name="bytes"/> in all may enter.</summary>
    public Task WaitForRoomAsync(int count, long bytes)
    {
        lock (_gate)
        {
            if (HasRoom_NeedsLock(count, bytes))
            {
                return Task.CompletedTask;
            }

            // One task waits at a time; a waiter of before that nobody awaits any more only wants less.
            (_wantedCount, _wantedBytes) = (count, bytes);
            _roomWanted ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _roomWanted.Task;
        }
    }

    /// <summary>Completes when nothing is in flight any more.</summary>
    public Task WaitUntilEmptyAsync() => WaitForRoomAsync(maxCount, maxBytes);

    /// <summary>
    /// To be called before a page is read: what is committed from then on may still look pending in that page, and does not enter again.
    /// </summary>
    public void BeginPage()
    {
        lock (_gate)
        {
            _committedSincePage.Clear();
        }
    }

    /// <summary>Counts a message in; false when it is in flight already (the feed looked back), or was committed since its page was read.</summary>
    public bool Enter(FeedMessage message)
    {
        lock (_gate)
        {
            if (_committedSincePage.Contains(message.Seq) || !_bytesBySeq.TryAdd(message.Seq, message.Bytes))
            {
                return false;
            }

            _bytes += message.Bytes;
            return true;
        }
    }

    /// <summary>The message counts no longer, since nobody knows when its answer comes; false when one more window is full of such messages already.</summary>
    public bool SetAside(long seq)
    {
        lock (_gate)
        {
            if (!_bytesBySeq.TryGetValue(seq, out int bytes) || _aside.Count >= maxCount || (_asideBytes > 0 && _asideBytes + bytes > maxBytes))
            {
                return false;
            }

            if (_aside.Add(seq))
            {
                _asideBytes += bytes;
                SignalRoom_NeedsLock();
            }

            return true;
        }
    }

    /// <summary>Counts out a message without an outcome: it is pending still, and is read again.</summary>
    public void Leave(FeedMessage message)
    {
        lock (_gate)
        {
            Remove_NeedsLock(message.Seq);
            SignalRoom_NeedsLock();
        }
    }

    /// <summary>Counts out everything that has no outcome yet: the connection is gone, all of it is pending still and is read again. Returns how many.</summary>
    public int LeaveUnsettled()
    {
        lock (_gate)
        {
            int before = _bytesBySeq.Count;
            var kept = _settled.Concat(_committing).Where(settlement => _bytesBySeq.ContainsKey(settlement.Seq))
                .DistinctBy(settlement => settlement.Seq) // a late confirm settles again what was deferred
                .ToDictionary(settlement => settlement.Seq, settlement => _bytesBySeq[settlement.Seq]);
            _bytesBySeq.Clear();
            _aside.Clear();
            (_bytes, _asideBytes) = (0, 0);
            foreach ((long seq, int bytes) in kept)
            {
                _bytesBySeq.Add(seq, bytes);
                _bytes += bytes;
            }

            SignalRoom_NeedsLock();
            return before - kept.Count;
        }
    }

    /// <summary>Notes the outcome of a message that entered. True when the ledger is to be told: there was nothing, or nothing more is out.</summary>
    public bool Settle(in Settlement settlement)
    {
        lock (_gate)
        {
            TakeFromAside_NeedsLock(settlement.Seq); // until it is committed it counts
            _settled.Add(settlement);
            _settledCount++;
            return _settled.Count == 1 || _bytesBySeq.Count <= _settled.Count + _committing.Count;
        }
    }

    /// <inheritdoc/>
    public bool AwaitsMore
    {
        get
        {
            lock (_gate)
            {
                return _bytesBySeq.Count > _settled.Count + _committing.Count;
            }
        }
    }

    /// <inheritdoc/>
    public SettlementBatch? TakeSettlements()
    {
        lock (_gate)
        {
            if (_settled.Count == 0)
            {
                return null;
            }

            var batch = new SettlementBatch(server, _endpoint, _settled);
            (_settled, _committing) = (_committing, _settled);
            return batch;
        }
    }

    /// <inheritdoc/>
    public void Committed(SettlementBatch batch)
    {
        lock (_gate)
        {
            foreach (Settlement settlement in batch.Settlements)
            {
                Remove_NeedsLock(settlement.Seq);
                _committedSincePage.Add(settlement.Seq);
            }

            // The two lists take turns: the ledger has one batch at a time.
            _committing.Clear();
            SignalRoom_NeedsLock();
        }
    }

    private (int Count, long Bytes) Room_NeedsLock()
    {
        long bytes = maxBytes - (_bytes - _asideBytes);
        int count = _bytesBySeq.Count - _aside.Count;
        bool full = bytes <= 0 && count > 0;
        return full ? (0, 0) : (Math.Max(0, maxCount - count), Math.Max(1, bytes));
    }

    private bool HasRoom_NeedsLock(int count, long bytes) => Room_NeedsLock() is var room && room.Count >= count && room.Bytes >= bytes;

    private void TakeFromAside_NeedsLock(long seq)
    {
        if (_aside.Count > 0 && _aside.Remove(seq))
        {
            _asideBytes -= _bytesBySeq[seq];
        }
    }

    private void Remove_NeedsLock(long seq)
    {
        TakeFromAside_NeedsLock(seq);
        if (_bytesBySeq.Remove(seq, out int bytes))
        {
            _bytes -= bytes;
        }
    }

    private void SignalRoom_NeedsLock()
    {
        if (_roomWanted is { } waiter && HasRoom_NeedsLock(_wantedCount, _wantedBytes))
        {
            _roomWanted = null;
            waiter.SetResult();
        }
    }
}
