using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Quickq.Spool.Files;

namespace Quickq.Spool;

/// <summary>Waits for the next commit to a spool, by inotify on its folder; costs nothing while nothing happens.</summary>
/// <remarks>
/// A hint, not a promise: every user looks at the spool itself afterwards, and again from time to time. A Quickq writer touches a file after its commit (the lock
/// file, the agent its own), so the change can be seen when this returns. A program that does not know the lock only writes the WAL, a moment before its commit
/// can be seen: then this returns a little later, and once more soon after. While files are touched the WAL is not watched, since each look finds what
/// strangers wrote too; <see cref="RestMilliseconds"/> after the last touch it is watched again, and this returns once more.
/// It watches the folder because the files may be deleted and made again. One thread waits; the other members may be called from any.
/// </remarks>
public sealed class SpoolWatch : IDisposable
{
    private const uint Modified = 0x2, AttributesChanged = 0x4, MovedTo = 0x80, Created = 0x100, Overflowed = 0x4000, DoNotFollow = 0x2000000;
    private const int NoSuchFile = 2;
    private const int CloseOnExec = 0x80000, NonBlocking = 0x800;
    private const int SettleMilliseconds = 20, LookAgainMilliseconds = 250, RestMilliseconds = 250;

    private readonly Lock _gate = new();
    private readonly string _folder;
    private readonly string _name;
    private readonly string _logName;
    private readonly string[] _touchedNames;
    private readonly int[] _touchedFiles;
    private readonly int _touches;
    private readonly int _log;
    private readonly int _wake;
    private readonly EventPoll _poll;
    private bool _lookAgain;
    private long _logRestsUntil;

    // Guarded by the gate.
    private bool _logIsPaused;
    private bool _logRests;

    /// <summary>Starts to watch the spool at <paramref name="path"/> for everybody's commits; the folder must exist, the spool need not.</summary>
    /// <exception cref="SpoolException">The folder cannot be watched.</exception>
    public SpoolWatch(string path)
        : this(path, isAgent: false)
    {
    }

    /// <param name="path">The spool.</param>
    /// <param name="isAgent">The agent does not wake for what it writes itself.</param>
    internal SpoolWatch(string path, bool isAgent)
    {
        string resolved = SpoolPath.FollowLinks(path);
        _folder = Path.GetDirectoryName(resolved) ?? "/";
        _name = Path.GetFileName(resolved);
        _logName = Path.GetFileName(SpoolPath.WriteAheadLog(resolved));
        string lockName = Path.GetFileName(SpoolPath.LockFile(resolved));
        _touchedNames = isAgent ? [lockName] : [lockName, Path.GetFileName(SpoolPath.AgentFile(resolved))];
        _touchedFiles = new int[_touchedNames.Length];
        _touches = Libc.InotifyInit(CloseOnExec | NonBlocking);
        _log = Libc.InotifyInit(CloseOnExec | NonBlocking);
        _wake = Libc.EventFd(0, CloseOnExec | NonBlocking);
        _poll = new EventPoll();
        if (_touches < 0 || _log < 0 || _wake < 0
            || Libc.InotifyAdd(_touches, _folder, MovedTo | Created) < 0 || Libc.InotifyAdd(_log, _folder, Modified | MovedTo) < 0
            || !Enumerable.Range(0, _touchedNames.Length).All(TryWatchTouches)
            || !_poll.TryAdd(_touches, _touches, once: false) || !_poll.TryAdd(_wake, _wake, once: false) || !_poll.TryAdd(_log, _log, once: true))
        {
            int error = Marshal.GetLastPInvokeError();
            Dispose();
            throw new SpoolException(SpoolFault.InputOutput, resolved, $"cannot watch {_folder}: {Libc.ErrorText(error)}",
                "if inotify instances have run out, raise fs.inotify.max_user_instances");
        }
    }

    /// <summary>Returns true after a change, or after <see cref="Wake"/>; false when there was none within <paramref name="timeout"/>.</summary>
    public bool WaitForChange(TimeSpan timeout)
    {
        long deadline = Environment.TickCount64 + (long)Math.Clamp(Math.Ceiling(timeout.TotalMilliseconds), 0, int.MaxValue);
        if (_lookAgain && deadline - Environment.TickCount64 is var left && left > LookAgainMilliseconds)
        {
            // A commit that was slow to follow its last write to the WAL.
            bool isSeen = WaitUntil(Environment.TickCount64 + LookAgainMilliseconds);
            _lookAgain &= isSeen;
            return true;
        }

        return WaitUntil(deadline);
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
        foreach (int descriptor in (ReadOnlySpan<int>)[_touches, _log, _wake])
        {
            if (descriptor >= 0)
            {
                Libc.Close(descriptor);
            }
        }

        _poll.Dispose();
    }

    /// <summary>This process is about to write to the WAL: that is no reason to wake.</summary>
    internal void BeginOwnCommit()
    {
        lock (_gate)
        {
            _logIsPaused = true;
            if (!_logRests)
            {
                _poll.Pause(_log);
            }
        }
    }

    /// <summary>What was written to the WAL since <see cref="BeginOwnCommit"/> is of no interest, unless somebody else committed meanwhile.</summary>
    /// <param name="othersCommitted">While this process held the lock.</param>
    /// <param name="othersCommittedBefore">Since its last commit: while the WAL rests the look at the end of the rest finds that.</param>
    internal void EndOwnCommit(bool othersCommitted, bool othersCommittedBefore)
    {
        lock (_gate)
        {
            _logIsPaused = false;
            if (!_logRests)
            {
                ReadEvents(_log);
                _poll.TryResume(_log, _log);
                othersCommitted |= othersCommittedBefore;
            }
        }

        if (othersCommitted)
        {
            Wake();
        }
    }

    private bool WaitUntil(long deadline)
    {
        bool logWritten = false;
        while (true)
        {
            (bool touched, bool woken, bool logged) = Poll(_logRestsUntil == 0 ? deadline : Math.Min(deadline, _logRestsUntil));
            if (woken)
            {
                TakeWake();
            }

            if (touched && ReadEvents(_touches))
            {
                RestLog();
                return true;
            }

            if (woken)
            {
                _lookAgain |= (logWritten || logged) && ForgetLog(); // the commit may follow its last write late
                return true;
            }

            if (logged && !logWritten)
            {
                // Mostly it is a writer that touches the lock file in a moment; until then each page that it writes is none of our business.
                (logWritten, deadline) = (true, Environment.TickCount64 + SettleMilliseconds);
            }
            else if (_logRestsUntil != 0 && Environment.TickCount64 >= _logRestsUntil)
            {
                if (EndRest())
                {
                    return true;
                }
            }
            else if (Environment.TickCount64 >= deadline)
            {
                if (logWritten && ForgetLog())
                {
                    _lookAgain = true;
                    return true;
                }

                return false;
            }
        }
    }

    /// <summary>Writers that touch a file are at work: their writes to the WAL are no news beside it.</summary>
    private void RestLog()
    {
        _logRestsUntil = Environment.TickCount64 + RestMilliseconds;
        lock (_gate)
        {
            if (!_logRests)
            {
                _logRests = true;
                _poll.Pause(_log);
            }
        }
    }

    /// <summary>From here on a write to the WAL is seen again. True when there was one meanwhile, of whomever.</summary>
    private bool EndRest()
    {
        _logRestsUntil = 0;
        lock (_gate)
        {
            _logRests = false;
            return _lookAgain = ForgetLog_NeedsLock();
        }
    }

    private (bool Touched, bool Woken, bool Logged) Poll(long deadline)
    {
        Span<long> ready = stackalloc long[3];
        ready = ready[.._poll.Wait(ready, (int)Math.Clamp(deadline - Environment.TickCount64, 0, int.MaxValue))];
        return (ready.Contains(_touches), ready.Contains(_wake), ready.Contains(_log));
    }

    /// <summary>Takes what was written to the WAL until now; from here on a write is seen again. False when it was another file of the folder.</summary>
    private bool ForgetLog()
    {
        lock (_gate)
        {
            return ForgetLog_NeedsLock();
        }
    }

    private bool ForgetLog_NeedsLock()
    {
        bool isLog = ReadEvents(_log);
        if (!_logIsPaused)
        {
            _poll.TryResume(_log, _log);
        }

        return isLog;
    }

    private unsafe void TakeWake()
    {
        ulong count;
        _ = Libc.Read(_wake, (byte*)&count, sizeof(ulong));
    }

    /// <summary>Takes all events that are waiting; true when one of them is of a file that matters.</summary>
    private unsafe bool ReadEvents(int inotify)
    {
        bool matters = false;
        Span<byte> buffer = stackalloc byte[4096];
        const int largestEvent = 16 + 256;
        nint length;
        do
        {
            fixed (byte* pointer = buffer)
            {
                length = Libc.Read(inotify, pointer, buffer.Length);
            }

            // struct inotify_event: wd, mask, cookie, len, name padded with zeros to len.
            for (Span<byte> rest = buffer[..(int)Math.Max(0, length)]; rest.Length >= 16;)
            {
                int watch = BinaryPrimitives.ReadInt32LittleEndian(rest);
                uint mask = BinaryPrimitives.ReadUInt32LittleEndian(rest[4..]);
                int nameLength = (int)BinaryPrimitives.ReadUInt32LittleEndian(rest[12..]);
                ReadOnlySpan<byte> name = rest.Slice(16, nameLength).TrimEnd((byte)0);
                matters |= (mask & Overflowed) != 0 || (inotify == _log ? Is(name, _logName) : IsTouch(watch, mask, name));
                rest = rest[(16 + nameLength)..];
            }
        }
        while (length > buffer.Length - largestEvent);
        return matters;
    }

    /// <summary>A touch of a file that is watched for it, or a spool or such a file that is new in the folder.</summary>
    private bool IsTouch(int watch, uint mask, ReadOnlySpan<byte> name)
    {
        if (name.IsEmpty)
        {
            return (mask & AttributesChanged) != 0 && _touchedFiles.Contains(watch);
        }

        for (int i = 0; i < _touchedNames.Length; i++)
        {
            if (Is(name, _touchedNames[i]))
            {
                TryWatchTouches(i);
                return true;
            }
        }

        return Is(name, _name);
    }

    /// <summary>The file itself, not the folder: what the agent touches for others must not wake it. One that is not there yet is watched when it comes.</summary>
    private bool TryWatchTouches(int file)
    {
        _touchedFiles[file] = Libc.InotifyAdd(_touches, Path.Combine(_folder, _touchedNames[file]), AttributesChanged | DoNotFollow);
        return _touchedFiles[file] >= 0 || Marshal.GetLastPInvokeError() == NoSuchFile;
    }

    private static bool Is(ReadOnlySpan<byte> name, string file) => name.SequenceEqual(Encoding.UTF8.GetBytes(file));
}
