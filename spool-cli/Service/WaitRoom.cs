using System.Globalization;
using Quickq.Spool;
using Quickq.Spool.Service;
using Quickq.SpoolCli.CommandLine;

namespace Quickq.SpoolCli.Service;

/// <summary>All open waits: one thread, which sleeps until something was committed, and then looks for all of them. It ends some time after the last of them.</summary>
/// <remarks>
/// A script that publishes and waits comes again at once: the thread and its watch stay for it. The kernel takes milliseconds to end a watch, in which nobody may wait for the gate.
/// It looks in rounds: each account's waits whose time is over, then those that were not looked for since the last commit, up to <see cref="PerRound"/> ids of one account.
/// So an account with much to wait for holds up the others by that many ids, not by all that it waits for.
/// </remarks>
internal sealed class WaitRoom(string path, SpoolReaders readers, ServiceLog log)
{
    /// <summary>A commit that the watch did not see is found after this time.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    /// <summary>For so long it stays without a wait; commits do not wake it meanwhile.</summary>
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(10);

    /// <summary>Ids of one account that are looked for in one round, its last wait apart.</summary>
    private const int PerRound = 1_000;

    private readonly object _gate = new(); // one can wait for it, unlike a Lock
    private readonly Dictionary<uint, int> _awaited = []; // by account
    private readonly List<PendingWait> _arrived = [];
    private SpoolWatch? _watch;
    private bool _isRunning;
    private bool _isIdle;
    private volatile bool _stopping;

    /// <summary>Takes a wait; it is answered when its messages are there, or its time is over; or at once, with an error, where its account waits for too much.</summary>
    public void Add(PendingWait wait)
    {
        lock (_gate)
        {
            int awaited = _awaited.GetValueOrDefault(wait.Uid) + wait.Cost;
            if (awaited > ProtocolContext.MaxAwaited)
            {
                wait.Fail(Answers.Error(ExitCode.TryLater, "Busy", string.Create(CultureInfo.InvariantCulture, $"this account waits for more than {ProtocolContext.MaxAwaited:N0} messages"), "wait for fewer at one time"));
                return;
            }

            _awaited[wait.Uid] = awaited;
            _arrived.Add(wait);
            if (_isRunning)
            {
                Wake_NeedsGate();
                return;
            }

            _isRunning = true;
        }

        new Thread(Run, 512 * 1024) { Name = "waits", IsBackground = true }.Start();
    }

    /// <summary>Ends every wait: the service stops.</summary>
    public void Stop()
    {
        lock (_gate)
        {
            _stopping = true;
            Wake_NeedsGate();
        }
    }

    private void Run()
    {
        var open = new List<PendingWait>();
        using var pause = new ManualResetEventSlim();
        OpenWatch();
        long changedAt = 0;
        for (long round = 0; TakeArrived(open); round++)
        {
            foreach (IGrouping<uint, PendingWait> account in open.Where(wait => !wait.IsAbandoned).GroupBy(wait => wait.Uid))
            {
                Look(account, round, changedAt);
            }

            RemoveDone(open);
            bool isBehind = open.Exists(wait => wait.LookedAt < changedAt || wait.IsOver);
            TimeSpan step = isBehind ? TimeSpan.Zero : open.Select(wait => wait.Left ?? LookAgain).Append(LookAgain).Min();
            if (open.Count > 0 && (HasChanged(step, pause) || !isBehind))
            {
                changedAt = round + 1;
            }
        }
    }

    /// <summary>Looks for one account's part of a round: those whose time is over first, then those that were looked for longest ago.</summary>
    private void Look(IEnumerable<PendingWait> account, long round, long changedAt)
    {
        int left = PerRound;
        foreach ((PendingWait wait, bool isOver) in account.Select(wait => (wait, isOver: wait.IsOver)).OrderBy(next => next.isOver ? -1 : next.wait.LookedAt + 1))
        {
            if (left <= 0 || (!isOver && wait.LookedAt >= changedAt))
            {
                return;
            }

            left -= wait.Cost;
            wait.IsDone = IsAnswered(wait);
            wait.LookedAt = round;
        }
    }

    /// <summary>Waits for a commit at most so long; true when there was one, or may have been.</summary>
    private bool HasChanged(TimeSpan step, ManualResetEventSlim pause)
    {
        if (_watch is { } watch)
        {
            return watch.WaitForChange(step);
        }

        if (step <= TimeSpan.Zero)
        {
            return false;
        }

        pause.Wait(TimeSpan.FromMilliseconds(Math.Clamp(step.TotalMilliseconds, 1, 100)));
        return true;
    }

    private void RemoveDone(List<PendingWait> open)
    {
        open.ForEach(wait => wait.IsDone |= wait.IsAbandoned);
        lock (_gate)
        {
            foreach (PendingWait wait in open.Where(wait => wait.IsDone))
            {
                if ((_awaited[wait.Uid] -= wait.Cost) == 0)
                {
                    _awaited.Remove(wait.Uid);
                }
            }
        }

        open.RemoveAll(wait => wait.IsDone);
    }

    /// <summary>Adds those that came, and waits for the next where none is open; false when there was none for long: then the thread ends.</summary>
    private bool TakeArrived(List<PendingWait> open)
    {
        bool wasIdle = false;
        SpoolWatch? watch;
        lock (_gate)
        {
            _isIdle = open.Count == 0;
            while (_isIdle && _arrived.Count == 0 && !_stopping && Monitor.Wait(_gate, Linger))
            {
                wasIdle = true;
            }

            open.AddRange(_arrived);
            _arrived.Clear();
            (watch, _isIdle) = (_watch, false);
            if (open.Count == 0)
            {
                (_watch, _isRunning) = (null, false);
            }
        }

        if (open.Count == 0)
        {
            watch?.Dispose();
        }
        else if (wasIdle)
        {
            watch?.WaitForChange(TimeSpan.Zero); // what was committed meanwhile is seen at the first look
        }

        return open.Count > 0;
    }

    private void Wake_NeedsGate()
    {
        if (_isIdle)
        {
            Monitor.Pulse(_gate);
        }
        else
        {
            _watch?.Wake();
        }
    }

    private bool IsAnswered(PendingWait wait)
    {
        try
        {
            if (_stopping)
            {
                wait.Fail(Answers.Error(ExitCode.TryLater, "Busy", "the spool service stops", "wait again; delivery goes on"));
                return true;
            }

            return readers.Look(wait.Look);
        }
        catch (SpoolException failure)
        {
            wait.Fail(Answers.Error(failure));
        }
        catch (Exception exception) // a fault of ours is the answer to this request, not the end of the service
        {
            log.InternalError(exception);
            wait.Fail(Answers.Internal());
        }

        return true;
    }

    private void OpenWatch()
    {
        try
        {
            var watch = new SpoolWatch(path);
            lock (_gate)
            {
                _watch = watch;
            }
        }
        catch (SpoolException)
        {
            // No inotify instance is left, or no folder is there: looking ten times a second does as well.
        }
    }
}
