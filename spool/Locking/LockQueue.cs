using System.Runtime.InteropServices;

namespace Quickq.Spool.Locking;

/// <summary>
/// The order in which those who wait for the <see cref="WriteLock"/> get it: first come, first served, in every language.
/// </summary>
/// <remarks>
/// <c>flock(2)</c> alone has no order that holds: whoever comes between a release and the waking of the first in line takes the lock, and the kernel then wakes all that
/// wait to line up anew. So whoever has to wait takes a place first: a byte of the lock file behind the last one taken, held by a record lock of the open file
/// description (<c>F_OFD_SETLK</c>, fcntl(2); <c>flock</c> knows nothing of these, and the kernel releases it with the last descriptor, however its process ends). It waits
/// until no place before its own is taken, then in <c>flock</c>, and leaves its place when it has the lock. Who finds places taken does not try to get past.
/// A courtesy only: without it (another program, a file system that has no record locks) the lock excludes all the same.
/// </remarks>
internal static class LockQueue
{
    /// <summary>Whether somebody waits at a place after <paramref name="after"/> (-1: at any).</summary>
    public static bool HasWaiters(int lockDescriptor, long after) => FindOne(lockDescriptor, after + 1, long.MaxValue) is not null;

    /// <summary>Whether places up to this are taken.</summary>
    public static bool IsTakenUpTo(int lockDescriptor, long place) => FindOne(lockDescriptor, 0, place + 1) is not null;

    /// <summary>Takes the place behind the last and returns its number, from 0 on; null where there are no record locks.</summary>
    public static long? TakePlace(int lockDescriptor)
    {
        while (true)
        {
            long place = (FindLast(lockDescriptor, 0, long.MaxValue) ?? -1) + 1;
            switch (Set(lockDescriptor, Libc.WriteLockType, place, Libc.SetFileRecordLock))
            {
                case 0:
                    return place;
                case Libc.TryAgain or Libc.AccessDenied or Libc.Interrupted:
                    continue; // somebody was quicker
                default:
                    return null;
            }
        }
    }

    /// <summary>Waits, without a deadline, until nobody is left between <paramref name="after"/> and <paramref name="place"/>.</summary>
    public static void AwaitTurn(int lockDescriptor, long place, long after)
    {
        while (FindLast(lockDescriptor, after + 1, place) is { } before)
        {
            int error = Set(lockDescriptor, Libc.ReadLockType, before, Libc.SetFileRecordLockOrWait);
            if (error == 0)
            {
                Leave(lockDescriptor, before);
            }
            else if (error != Libc.Interrupted)
            {
                return;
            }
        }
    }

    /// <summary>Gives the place back.</summary>
    public static void Leave(int lockDescriptor, long place) => _ = Set(lockDescriptor, Libc.UnlockedType, place, Libc.SetFileRecordLock);

    private static long? FindLast(int descriptor, long from, long to)
    {
        long? last = null;
        while (FindOne(descriptor, from, to) is { } found)
        {
            last = found;
            from = found + 1;
        }

        return last;
    }

    /// <summary>Any place of others from <paramref name="from"/> up to, not including, <paramref name="to"/>.</summary>
    private static long? FindOne(int descriptor, long from, long to)
    {
        if (from >= to)
        {
            return null;
        }

        var question = new Libc.RecordLock { Type = Libc.WriteLockType, Start = from, Length = to - from };
        return Libc.ControlLock(descriptor, Libc.GetFileRecordLock, ref question) == 0 && question.Type != Libc.UnlockedType
            ? Math.Max(from, question.Start)
            : null;
    }

    private static int Set(int descriptor, short type, long place, int command)
    {
        var wanted = new Libc.RecordLock { Type = type, Start = place, Length = 1 };
        return Libc.ControlLock(descriptor, command, ref wanted) == 0 ? 0 : Marshal.GetLastPInvokeError();
    }
}
