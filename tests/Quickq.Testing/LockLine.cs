using Quickq.Spool;
using Quickq.Spool.Locking;

namespace Quickq.Testing;

/// <summary>Looks at the line of those who wait for a spool's lock.</summary>
public sealed class LockLine : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);
    private readonly int _descriptor;

    public LockLine(TempSpool spool) => _descriptor = LockFile.Open(SpoolPath.LockFile(spool.Path), spool.Path);

    public bool IsEmpty => !IsTakenFrom(0);

    /// <summary>Whether this place or one before it is taken.</summary>
    public bool IsTakenUpTo(int place) => LockQueue.IsTakenUpTo(_descriptor, place);

    /// <summary>Waits until this place, or a later one, is taken.</summary>
    public Task IsTakenAsync(int place) => Eventually.Closely($"place {place} in the line for the lock is taken", Limit, () => IsTakenFrom(place));

    public void Dispose() => Libc.Close(_descriptor);

    private bool IsTakenFrom(int place) => LockQueue.HasWaiters(_descriptor, place - 1);
}
