using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;

namespace Quickq.SpoolCli.Service;

/// <summary>All open waits: one thread, which runs only while there are any, sleeps until something was committed, and then looks for all of them.</summary>
internal sealed class WaitRoom(string path, SpoolReaders readers, ServiceLog log)
{
    /// <summary>A commit that the watch did not see is found after this time.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly List<PendingWait> _arrived = [];
    private SpoolWatch? _watch;
    private bool _isRunning;
    private volatile bool _stopping;

    /// <summary>Takes a wait; it is answered when its messages are there, or its time is over.</summary>
    public void Add(PendingWait wait)
    {
        lock (_gate)
        {
            _arrived.Add(wait);
            if (_isRunning)
            {
                _watch?.Wake();
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
            _watch?.Wake();
        }
    }

    private void Run()
    {
        var open = new List<PendingWait>();
        using var pause = new ManualResetEventSlim();
        OpenWatch();
        while (TakeArrived(open))
        {
            open.RemoveAll(wait => wait.IsAbandoned || IsAnswered(wait));
            if (open.Count == 0)
            {
                continue;
            }

            TimeSpan step = open.Select(wait => wait.Left ?? LookAgain).Append(LookAgain).Min();
            if (_watch is { } watch)
            {
                watch.WaitForChange(step);
            }
            else
            {
                pause.Wait(TimeSpan.FromMilliseconds(Math.Clamp(step.TotalMilliseconds, 1, 100)));
            }
        }
    }

    /// <summary>Adds those that came; false when none is open: then the thread ends.</summary>
    private bool TakeArrived(List<PendingWait> open)
    {
        lock (_gate)
        {
            open.AddRange(_arrived);
            _arrived.Clear();
            if (open.Count > 0)
            {
                return true;
            }

            _isRunning = false;
            _watch?.Dispose();
            _watch = null;
            return false;
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
