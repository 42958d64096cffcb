namespace Quickq.SpoolCli.Service;

/// <summary>How much of what peers sent, and of answers that they do not read, is held in memory. A peer over its share is not read.</summary>
/// <remarks>
/// Bytes count when they are really there, so that a length alone costs nothing. Four rules keep it alive: the oldest frame that is half received may go on within its
/// account's share (else many half-received ones could hold each other up for ever); every account has <see cref="Minimum"/> of its own; no account has more than half,
/// but for the oldest frame of one account at a time, and what that has beyond the half takes nothing from the others. So at most
/// <see cref="Limit"/>, one frame, and the minimum of each account are held. Any thread.
/// </remarks>
internal sealed class MemoryBudget
{
    /// <summary>Bytes in all: 64 MiB.</summary>
    public const long Limit = 64L * 1024 * 1024;

    /// <summary>Bytes of one account: half.</summary>
    public const long Share = Limit / 2;

    /// <summary>Bytes that each account can always have: 256 KiB.</summary>
    public const long Minimum = 256 * 1024;

    private readonly Lock _gate = new();
    private readonly LinkedList<Claim> _receiving = new(); // in order of arrival
    private readonly Dictionary<uint, long> _held = [];
    private long _total;
    private long _counted; // without what an account has beyond its share
    private uint? _beyondShare;

    /// <summary>Bytes held now.</summary>
    public long Held => Volatile.Read(ref _total);

    /// <summary>A frame of this account begins.</summary>
    public Claim Open(uint uid)
    {
        var claim = new Claim(this, uid);
        lock (_gate)
        {
            claim.Place = _receiving.AddLast(claim);
        }

        return claim;
    }

    /// <summary>Bytes that are there already: an answer that waits to be read.</summary>
    public Claim OpenFor(uint uid, int bytes)
    {
        var claim = new Claim(this, uid);
        lock (_gate)
        {
            Charge_NeedsLock(claim, bytes);
        }

        return claim;
    }

    private bool IsAllowed_NeedsLock(Claim claim, int bytes)
    {
        long own = _held.GetValueOrDefault(claim.Uid);
        return own + bytes <= Minimum
            || (own + bytes <= Share
                ? _counted + bytes <= Limit || (claim.Place is not null && ReferenceEquals(_receiving.First, claim.Place))
                : (_beyondShare ?? claim.Uid) == claim.Uid && ReferenceEquals(OldestOf_NeedsLock(claim.Uid), claim));
    }

    private Claim? OldestOf_NeedsLock(uint uid) => _receiving.FirstOrDefault(claim => claim.Uid == uid);

    private void Charge_NeedsLock(Claim claim, int bytes)
    {
        claim.Bytes += bytes;
        _total += bytes;
        long before = _held.GetValueOrDefault(claim.Uid), own = before + bytes;
        _counted += Math.Min(own, Share) - Math.Min(before, Share);
        if (own > Share)
        {
            _beyondShare ??= claim.Uid;
        }
        else if (_beyondShare == claim.Uid)
        {
            _beyondShare = null;
        }

        if (own == 0)
        {
            _held.Remove(claim.Uid);
        }
        else
        {
            _held[claim.Uid] = own;
        }
    }

    /// <summary>Lets those go on who now may, the oldest first.</summary>
    private void Admit_NeedsLock()
    {
        for (LinkedListNode<Claim>? node = _receiving.First; node is not null; node = node.Next)
        {
            if (node.Value is { Wanted: { } wanted, WantedBytes: var bytes } claim && IsAllowed_NeedsLock(claim, bytes))
            {
                Charge_NeedsLock(claim, bytes);
                claim.Wanted = null;
                wanted.TrySetResult();
            }
        }
    }

    /// <summary>What one frame or answer holds.</summary>
    public sealed class Claim(MemoryBudget budget, uint uid) : IDisposable
    {
        public uint Uid { get; } = uid;

        /// <summary>Whether it waits until others have given memory back.</summary>
        public bool IsWaiting => Wanted is not null;

        // Guarded by the budget's gate.
        internal LinkedListNode<Claim>? Place { get; set; }

        internal long Bytes { get; set; }

        internal TaskCompletionSource? Wanted { get; set; }

        internal int WantedBytes { get; private set; }

        /// <summary>Returns when so many bytes more may be received.</summary>
        public ValueTask GrowAsync(int bytes, CancellationToken cancellation)
        {
            lock (budget._gate)
            {
                if (!budget.IsAllowed_NeedsLock(this, bytes))
                {
                    Place ??= budget._receiving.AddLast(this); // what is whole may need more than its frame
                }

                if (budget.IsAllowed_NeedsLock(this, bytes))
                {
                    budget.Charge_NeedsLock(this, bytes);
                    return ValueTask.CompletedTask;
                }

                Wanted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                WantedBytes = bytes;
                return new ValueTask(Wanted.Task.WaitAsync(cancellation));
            }
        }

        /// <summary>The frame is there as a whole; its memory stays.</summary>
        public void Complete()
        {
            lock (budget._gate)
            {
                Leave_NeedsLock();
            }
        }

        /// <summary>Gives everything back.</summary>
        public void Dispose()
        {
            lock (budget._gate)
            {
                if (Bytes > 0)
                {
                    budget.Charge_NeedsLock(this, -(int)Bytes);
                }

                Wanted = null;
                Leave_NeedsLock();
                budget.Admit_NeedsLock();
            }
        }

        private void Leave_NeedsLock()
        {
            if (Place is { } place)
            {
                Place = null;
                budget._receiving.Remove(place);
                budget.Admit_NeedsLock(); // there is another oldest one
            }
        }
    }
}
