using Quickq.Spool;
using Quickq.Spool.Locking;

namespace Quickq.Testing;

/// <summary>Looks at the line of those who wait for a spool's lock.</summary>
public sealed class LockLine : IDisposable
{
    private const int Attempts = 20;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private readonly int _descriptor;

    public LockLine(TempSpool spool) => _descriptor = LockFile.Open(SpoolPath.LockFile(spool.Path), spool.Path);

    public bool IsEmpty => !IsTakenFrom(0);

    /// <summary>Whether this place or one before it is taken.</summary>
    public bool IsTakenUpTo(int place) => LockQueue.IsTakenUpTo(_descriptor, place);

    /// <summary>
    /// Plays a scene in which several stand in line at once, again where the machine was too slow for it: nobody keeps his place for longer than his patience, so
    /// whoever comes after that finds a shorter line and <see cref="IsTakenAsync"/> ends the attempt. The last attempt's failure is the test's.
    /// </summary>
    public static async Task PlayAsync(Func<Task> scene)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                await scene();
                return;
            }
            catch (ConditionNotMetException) when (attempt < Attempts)
            {
                // too slow, or never to be: the next attempts tell
            }
        }
    }

    /// <summary>Waits, as long as a program has patience, until this place or a later one is taken.</summary>
    public Task IsTakenAsync(int place) => Eventually.Closely($"place {place} in the line for the lock is taken", Patience, () => IsTakenFrom(place));

    public void Dispose() => Libc.Close(_descriptor);

    private bool IsTakenFrom(int place) => LockQueue.HasWaiters(_descriptor, place - 1);
}
