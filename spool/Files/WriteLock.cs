using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Quickq.Spool.Files;

/// <summary>
/// The one lock of a spool: an exclusive <c>flock(2)</c> on <c>spool.db.lock</c> that every process of the owner holds around each write
/// transaction and each checkpoint.
/// </summary>
/// <remarks>
/// It makes the overlap that SQLite's WAL-reset bug needs (3.7.0-3.51.2) impossible, and waits in the kernel where SQLite polls. Lock first, then BEGIN,
/// never the other way; never held while waiting for input, output or the network. One instance belongs to one thread at a time.
/// </remarks>
internal sealed class WriteLock : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(1);

    private readonly string _spool;
    private readonly string _path;
    private int _descriptor;
    private FileIdentity? _identity;

    /// <summary>Opens the lock file of a spool.</summary>
    /// <param name="spool">The spool, links followed.</param>
    /// <exception cref="SpoolException">The folder is not this account's alone, or the file cannot be opened or made.</exception>
    public WriteLock(string spool)
    {
        SpoolOwnership.RequireFolder(spool);
        _spool = spool;
        _path = SpoolPath.LockFile(spool);
        Use(LockFile.Open(_path, spool));
    }

    /// <summary>So many times to sleep a millisecond before a place in the kernel's queue is taken, which costs a thread. For who is in no hurry.</summary>
    public int PausesFirst { get; init; }

    /// <summary>Takes the lock of the file that the path names; returns when it is held.</summary>
    /// <param name="deadline">How long to wait at most.</param>
    /// <param name="stop">Ends the wait early; the lock is then not held.</param>
    /// <exception cref="SpoolException"><see cref="SpoolFault.Busy"/> when another process held it until the deadline; it names the holder.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> ended the wait.</exception>
    public void Acquire(TimeSpan deadline, CancellationToken stop = default)
    {
        ObjectDisposedException.ThrowIf(_descriptor < 0, this);
        long since = Stopwatch.GetTimestamp();
        while (true)
        {
            bool isHeld = TryAcquire();
            for (int left = PausesFirst; !isHeld && left > 0 && !stop.WaitHandle.WaitOne(Pause); left--)
            {
                isHeld = TryAcquire();
            }

            if (!isHeld)
            {
                stop.ThrowIfCancellationRequested(); // a lock that is free is taken all the same
                TimeSpan left = deadline - Stopwatch.GetElapsedTime(since);
                int held = (left > TimeSpan.Zero ? new BlockedWait(LockFile.Open(_path, _spool)).Take(left, stop) : null) ?? throw Busy(deadline);
                Libc.Close(_descriptor);
                Use(held);
            }

            // Somebody removed or replaced the lock file: others lock another one.
            if (_identity == FileIdentity.Find(_path)?.Identity)
            {
                return;
            }

            Libc.Close(_descriptor);
            _descriptor = -1;
            Use(LockFile.Open(_path, _spool));
        }
    }

    /// <summary>Releases the lock; <paramref name="announce"/> tells the processes that watch the spool that something was committed.</summary>
    public void Release(bool announce)
    {
        if (_descriptor < 0)
        {
            return;
        }

        _ = Libc.Flock(_descriptor, Libc.LockUnlock);
        if (announce)
        {
            // Inotify reports the write to the WAL before the commit can be seen; this touch comes after it. A hint only. Who wakes by it finds the lock free.
            _ = Libc.SetTimes(_descriptor, 0);
        }
    }

    public void Dispose()
    {
        if (_descriptor >= 0)
        {
            Libc.Close(_descriptor);
            _descriptor = -1;
        }
    }

    /// <summary>What is open stays the same file: asked once.</summary>
    private void Use(int descriptor) => (_descriptor, _identity) = (descriptor, FileIdentity.OfDescriptor(descriptor));

    private bool TryAcquire()
    {
        while (Libc.Flock(_descriptor, Libc.LockExclusive | Libc.LockNonBlocking) != 0)
        {
            int error = Marshal.GetLastPInvokeError();
            if (error == Libc.TryAgain)
            {
                return false;
            }

            if (error != Libc.Interrupted)
            {
                throw new SpoolException(SpoolFault.InputOutput, _spool, $"cannot lock {_path}: {Libc.ErrorText(error)}");
            }
        }

        return true;
    }

    private SpoolException Busy(TimeSpan deadline) => new(SpoolFault.Busy, _spool,
        $"the spool was locked for {deadline.TotalSeconds.ToString("0", CultureInfo.InvariantCulture)} s{HolderText()}",
        "try later; if the process that holds it hangs, end it");

    private string HolderText()
    {
        if (FileIdentity.Find(_path) is not { } file)
        {
            return "";
        }

        string place = file.Identity.ToString();
        foreach (string line in File.ReadLines("/proc/locks"))
        {
            // "1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF"; waiting ones have "->" in front.
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length > 5 && words[1] is "FLOCK" && words[3] is "WRITE" && string.Equals(words[5], place, StringComparison.Ordinal))
            {
                return $" by process {words[4]}";
            }
        }

        return "";
    }

    /// <summary>A thread that waits for the lock without a deadline, and closes its descriptor when nobody wants it any more.</summary>
    private sealed class BlockedWait(int descriptor)
    {
        private readonly Lock _gate = new();
        private readonly ManualResetEventSlim _done = new();
        private bool _abandoned;
        private bool _held;

        /// <summary>The descriptor that holds the lock; null at the deadline.</summary>
        public int? Take(TimeSpan deadline, CancellationToken stop)
        {
            new Thread(Run, 128 * 1024) { IsBackground = true, Name = "spool lock" }.Start();
            WaitHandle.WaitAny([_done.WaitHandle, stop.WaitHandle], deadline);
            bool held = Abandon();
            if (stop.IsCancellationRequested)
            {
                if (held)
                {
                    Libc.Close(descriptor); // it came in the same moment
                }

                stop.ThrowIfCancellationRequested();
            }

            return held ? descriptor : null;
        }

        /// <summary>Says that nobody waits any more; true when the lock is held.</summary>
        private bool Abandon()
        {
            lock (_gate)
            {
                _abandoned = !_held;
                return _held;
            }
        }

        private void Run()
        {
            int result;
            do
            {
                result = Libc.Flock(descriptor, Libc.LockExclusive);
            }
            while (result != 0 && Marshal.GetLastPInvokeError() == Libc.Interrupted);

            lock (_gate)
            {
                _held = result == 0 && !_abandoned;
                if (!_held)
                {
                    Libc.Close(descriptor);
                }
            }

            _done.Set();
        }
    }
}
