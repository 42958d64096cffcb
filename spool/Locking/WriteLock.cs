using System.Globalization;
using System.Runtime.InteropServices;

namespace Quickq.Spool.Locking;

/// <summary>
/// The one lock of a spool: an exclusive <c>flock(2)</c> on <c>spool.db.lock</c> that every writer of every language holds
/// around each write transaction and each checkpoint.
/// </summary>
/// <remarks>
/// It makes the overlap that SQLite's WAL-reset bug needs (3.7.0-3.51.2) impossible among Quickq's processes. Who has to wait is served in the order of
/// <see cref="LockQueue"/>. Lock first, then BEGIN, never the other way; never held while waiting for input, output or the network. One instance belongs to one
/// thread at a time.
/// </remarks>
internal sealed class WriteLock : IDisposable
{
    private static readonly TimeSpan DefaultPatience = TimeSpan.FromSeconds(2);

    private readonly string _spool;
    private readonly string _path;
    private readonly TimeSpan _patience;
    private int _descriptor;
    private long _passed = -1;

    /// <summary>Opens the lock file of a spool.</summary>
    /// <param name="spool">The spool, links followed.</param>
    /// <param name="patience">How long to stand in line behind somebody who does not go on, a process that was stopped for instance, before passing him; 2 s unless told.</param>
    /// <exception cref="SpoolException">The file cannot be opened or made.</exception>
    public WriteLock(string spool, TimeSpan? patience = null)
    {
        _spool = spool;
        _patience = patience ?? DefaultPatience;
        _path = SpoolPath.LockFile(spool);
        _descriptor = LockFile.Open(_path, spool);
    }

    /// <summary>Takes the lock; returns when it is held.</summary>
    /// <exception cref="SpoolException"><see cref="SpoolFault.Busy"/> when another process held it until the deadline; it names the holder.</exception>
    public void Acquire(TimeSpan deadline)
    {
        if (!MustQueue() && TryAcquire())
        {
            return;
        }

        // The blocking calls have no deadline of their own: they run on a thread with a descriptor of its own, abandoned at the deadline.
        var inLine = new BlockedWait(LockFile.Open(_path, _spool));
        int? got = inLine.TakeInLine(Shorter(deadline, _patience), _passed);
        if (got is null && deadline > _patience)
        {
            _passed = inLine.Place ?? -1;
            got = new BlockedWait(LockFile.Open(_path, _spool)).Take(deadline - _patience);
        }

        if (got is not { } held)
        {
            throw new SpoolException(SpoolFault.Busy, _spool,
                $"the spool was locked for {deadline.TotalSeconds.ToString("0", CultureInfo.InvariantCulture)} s{HolderText()}",
                "try later; if the holder hangs, end it");
        }

        Libc.Close(_descriptor);
        _descriptor = held;
    }

    /// <summary>Gives the lock back; <paramref name="announce"/> tells whoever watches the spool that something was committed.</summary>
    public void Release(bool announce)
    {
        if (announce)
        {
            // Inotify reports the write to the WAL before the commit can be seen; this touch comes after it. A hint only.
            _ = Libc.SetTimes(_descriptor, 0);
        }

        _ = Libc.Flock(_descriptor, Libc.LockUnlock);
    }

    public void Dispose()
    {
        if (_descriptor >= 0)
        {
            Libc.Close(_descriptor);
            _descriptor = -1;
        }
    }

    private bool MustQueue()
    {
        ObjectDisposedException.ThrowIf(_descriptor < 0, this);
        if (_passed >= 0 && !LockQueue.IsTakenUpTo(_descriptor, _passed))
        {
            _passed = -1; // those who did not go on are gone
        }

        return LockQueue.HasWaiters(_descriptor, _passed);
    }

    private static TimeSpan Shorter(TimeSpan one, TimeSpan other) => one < other ? one : other;

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
        private bool _held, _ended;

        /// <summary>The place it had in the line, if any.</summary>
        public long? Place { get; private set; }

        /// <summary>Waits in line; the places up to <paramref name="passed"/> do not count. Null at the deadline.</summary>
        public int? TakeInLine(TimeSpan deadline, long passed)
        {
            Place = LockQueue.TakePlace(descriptor);
            return Take(deadline, passed);
        }

        /// <summary>Waits for the lock whoever stands in line. Null at the deadline.</summary>
        public int? Take(TimeSpan deadline, long passed = -1)
        {
            new Thread(() => Run(passed), 128 * 1024) { IsBackground = true, Name = "spool lock" }.Start();
            _done.Wait(deadline);
            lock (_gate)
            {
                _abandoned = !_held;
                if (!_ended)
                {
                    LeavePlace();
                }

                return _held ? descriptor : null;
            }
        }

        private void Run(long passed)
        {
            if (Place is { } place)
            {
                LockQueue.AwaitTurn(descriptor, place, passed);
            }

            int result;
            do
            {
                result = Libc.Flock(descriptor, Libc.LockExclusive);
            }
            while (result != 0 && Marshal.GetLastPInvokeError() == Libc.Interrupted);

            lock (_gate)
            {
                LeavePlace();
                _held = result == 0 && !_abandoned;
                _ended = true;
                if (!_held)
                {
                    Libc.Close(descriptor);
                }
            }

            _done.Set();
        }

        private void LeavePlace()
        {
            if (Place is { } place)
            {
                LockQueue.Leave(descriptor, place);
            }
        }
    }
}
