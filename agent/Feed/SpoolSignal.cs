using Quickq.Spool;

namespace Quickq.Agent.Feed;

/// <summary>Wakes the forwarders when something was committed to the spool, and every few seconds in any case.</summary>
/// <remarks>
/// One thread waits for the kernel on behalf of all forwarders, and only while one of them waits for it: a forwarder with work to do costs
/// no wake-ups. The way to use it: take <see cref="NextChange"/>, then look into the spool, and only if nothing is there await it.
/// </remarks>
internal sealed class SpoolSignal : IDisposable
{
    /// <summary>A look without a reason: finds what the kernel did not tell of.</summary>
    public static readonly TimeSpan SlowPoll = TimeSpan.FromSeconds(5);

    private readonly SpoolWatch _watch;
    private readonly Thread _thread;
    private readonly Lock _gate = new();
    private readonly ManualResetEventSlim _wanted = new();
    private TaskCompletionSource _next = NewSource();
    private volatile bool _stopping;

    public SpoolSignal(string spoolPath)
    {
        _watch = new SpoolWatch(spoolPath);
        _thread = new Thread(Run) { IsBackground = true, Name = "spool signal" };
        _thread.Start();
    }

    /// <summary>Completes at the next change after this call.</summary>
    public Task NextChange
    {
        get
        {
            lock (_gate)
            {
                _wanted.Set();
                return _next.Task;
            }
        }
    }

    public void Dispose()
    {
        _stopping = true;
        _wanted.Set();
        _watch.Wake();
        _thread.Join();
        _watch.Dispose();
        _wanted.Dispose();
    }

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Run()
    {
        while (true)
        {
            _wanted.Wait();
            if (_stopping)
            {
                return;
            }

            _watch.WaitForChange(SlowPoll);
            TaskCompletionSource due;
            lock (_gate)
            {
                due = _next;
                _next = NewSource();
                if (!_stopping)
                {
                    _wanted.Reset();
                }
            }

            due.SetResult();
        }
    }
}
