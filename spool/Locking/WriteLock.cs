using System.Globalization;
using System.Runtime.InteropServices;

namespace Quickq.Spool.Locking;

/// <summary>
/// The one lock of a spool: an exclusive <c>flock(2)</c> on <c>spool.db.lock</c> that every writer of every language holds
/// around each write transaction and each checkpoint.
/// </summary>
/// <remarks>
/// It makes the overlap that SQLite's WAL-reset bug needs (3.7.0-3.51.2) impossible among Quickq's processes, and gives a fair
/// wait in place of SQLite's polling. Lock first, then BEGIN, never the other way; never held while waiting for input,
/// output or the network. One instance belongs to one thread at a time.
/// </remarks>
internal sealed class WriteLock : IDisposable
{
    private readonly string _spool;
    private readonly string _path;
    private int _descriptor;
    private bool _hadIt;

    public WriteLock(string spool)
    {
        _spool = spool;
        _path = SpoolPath.LockFile(spool);
        _descriptor = LockFile.Open(_path, spool);
    }

    /// <summary>Takes the lock; returns when it is held.</summary>
    /// <exception cref="SpoolException"><see cref="SpoolFault.Busy"/> when another process held it until the deadline; it names the holder.</exception>
    public void Acquire(TimeSpan deadline)
    {
        if (_hadIt)
        {
            // Whoever waits was woken by our release, but may not have run yet: who comes back at once would take the lock away from him, again and again.
            Thread.Yield();
        }

        if (TryAcquire())
        {
            return;
        }

        // The blocking call has no deadline of its own: it runs on a thread with a descriptor of its own, abandoned at the deadline.
        var wait = new BlockedWait(LockFile.Open(_path, _spool));
        if (wait.Take(deadline) is not { } held)
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
        _hadIt = true;
    }

    public void Dispose()
    {
        if (_descriptor >= 0)
        {
            Libc.Close(_descriptor);
            _descriptor = -1;
        }
    }

    private bool TryAcquire()
    {
        ObjectDisposedException.ThrowIf(_descriptor < 0, this);
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

    /// <summary>A thread that waits in <c>flock</c> without a deadline, and closes its descriptor when nobody wants it any more.</summary>
    private sealed class BlockedWait(int descriptor)
    {
        private readonly Lock _gate = new();
        private readonly ManualResetEventSlim _done = new();
        private bool _abandoned;
        private bool _held;

        public int? Take(TimeSpan deadline)
        {
            new Thread(Run, 128 * 1024) { IsBackground = true, Name = "spool lock" }.Start();
            _done.Wait(deadline);
            lock (_gate)
            {
                _abandoned = !_held;
                return _held ? descriptor : null;
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
