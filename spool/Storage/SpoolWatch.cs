using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Quickq.Spool.Locking;

namespace Quickq.Spool;

/// <summary>Waits for the next commit to a spool, by inotify on its folder; costs nothing while nothing happens.</summary>
/// <remarks>
/// A hint, not a promise: every user looks at the spool itself afterwards, and again from time to time. A Quickq writer touches the
/// lock file after its commit, so the change can be seen when this returns. A program that does not know the lock only writes the
/// log, a moment before its commit can be seen: then this returns a little later.
/// It watches the folder because the log may be deleted and made again. One thread waits; <see cref="Wake"/> may come from any.
/// </remarks>
public sealed class SpoolWatch : IDisposable
{
    private const uint Modified = 0x2, AttributesChanged = 0x4, ClosedAfterWriting = 0x8, MovedTo = 0x80, Created = 0x100, Overflowed = 0x4000;
    private const int CloseOnExec = 0x80000, NonBlocking = 0x800;
    private const int SettleMilliseconds = 20;

    private readonly string _lockName;
    private readonly string _logName;
    private readonly int _inotify;
    private readonly int _wake;

    /// <summary>Starts to watch the spool at <paramref name="path"/>; the folder must exist, the spool need not.</summary>
    /// <exception cref="SpoolException">The folder cannot be watched.</exception>
    public SpoolWatch(string path)
    {
        string resolved = SpoolPath.FollowLinks(path);
        _lockName = Path.GetFileName(SpoolPath.LockFile(resolved));
        _logName = Path.GetFileName(SpoolPath.WriteAheadLog(resolved));
        _inotify = Libc.InotifyInit(CloseOnExec | NonBlocking);
        _wake = Libc.EventFd(0, CloseOnExec | NonBlocking);
        string folder = Path.GetDirectoryName(resolved) ?? "/";
        if (_inotify < 0 || _wake < 0
            || Libc.InotifyAdd(_inotify, folder, Modified | AttributesChanged | ClosedAfterWriting | MovedTo | Created) < 0)
        {
            int error = Marshal.GetLastPInvokeError();
            Dispose();
            throw new SpoolException(SpoolFault.InputOutput, resolved, $"cannot watch {folder}: {Libc.ErrorText(error)}",
                "if inotify instances have run out, raise fs.inotify.max_user_instances");
        }
    }

    private enum Sight
    {
        Nothing,
        LogWritten,
        Committed,
    }

    /// <summary>Returns true after a change, or after <see cref="Wake"/>; false when there was none within <paramref name="timeout"/>.</summary>
    public bool WaitForChange(TimeSpan timeout)
    {
        Sight seen = Wait((int)Math.Clamp(Math.Ceiling(timeout.TotalMilliseconds), 0, int.MaxValue));
        if (seen == Sight.LogWritten)
        {
            Wait(SettleMilliseconds);
        }

        return seen != Sight.Nothing;
    }

    /// <summary>Makes the current or the next <see cref="WaitForChange"/> return at once.</summary>
    public unsafe void Wake()
    {
        ulong one = 1;
        _ = Libc.Write(_wake, (byte*)&one, sizeof(ulong));
    }

    /// <summary>Stops watching.</summary>
    public void Dispose()
    {
        if (_inotify >= 0)
        {
            Libc.Close(_inotify);
        }

        if (_wake >= 0)
        {
            Libc.Close(_wake);
        }
    }

    private unsafe Sight Wait(int milliseconds)
    {
        long deadline = Environment.TickCount64 + milliseconds;
        Span<Libc.PollDescriptor> both =
        [
            new() { Descriptor = _inotify, Events = Libc.PollIn },
            new() { Descriptor = _wake, Events = Libc.PollIn },
        ];
        while (true)
        {
            int left = (int)Math.Clamp(deadline - Environment.TickCount64, 0, int.MaxValue);
            int ready;
            fixed (Libc.PollDescriptor* pointer = both)
            {
                ready = Libc.Poll(pointer, 2, left);
            }

            if (ready > 0 && both[1].Returned != 0)
            {
                ulong count;
                _ = Libc.Read(_wake, (byte*)&count, sizeof(ulong));
                return Sight.Committed;
            }

            if (ready > 0 && ReadEvents() is var seen && seen != Sight.Nothing)
            {
                return seen;
            }

            if (ready >= 0 && left == 0)
            {
                return Sight.Nothing;
            }
        }
    }

    /// <summary>Takes all events that are waiting and says the most that they tell.</summary>
    private unsafe Sight ReadEvents()
    {
        Sight most = Sight.Nothing;
        Span<byte> buffer = stackalloc byte[4096];
        while (true)
        {
            nint length;
            fixed (byte* pointer = buffer)
            {
                length = Libc.Read(_inotify, pointer, buffer.Length);
            }

            if (length <= 0)
            {
                return most;
            }

            // struct inotify_event: wd, mask, cookie, len, name padded with zeros to len.
            for (Span<byte> rest = buffer[..(int)length]; rest.Length >= 16;)
            {
                uint mask = BinaryPrimitives.ReadUInt32LittleEndian(rest[4..]);
                int nameLength = (int)BinaryPrimitives.ReadUInt32LittleEndian(rest[12..]);
                string name = Encoding.UTF8.GetString(rest.Slice(16, nameLength)).TrimEnd('\0');
                Sight seen = (mask & Overflowed) != 0 || string.Equals(name, _lockName, StringComparison.Ordinal) ? Sight.Committed
                    : string.Equals(name, _logName, StringComparison.Ordinal) ? Sight.LogWritten : Sight.Nothing;
                most = (Sight)Math.Max((int)most, (int)seen);
                rest = rest[(16 + nameLength)..];
            }
        }
    }
}
