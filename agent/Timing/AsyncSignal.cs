namespace Quickq.Agent.Timing;

/// <summary>Lets one task wait until somebody says that something changed. Said twice before it is awaited counts once.</summary>
internal sealed class AsyncSignal
{
    private readonly Lock _gate = new();
    private TaskCompletionSource _next = new();
    private bool _isQueued;

    /// <summary>Completes at the next <see cref="Set"/>, or at once when it was set since <see cref="Reset"/>.</summary>
    public Task Next
    {
        get
        {
            lock (_gate)
            {
                return _next.Task;
            }
        }
    }

    /// <summary>Wakes the waiter, which goes on in the pool. Any thread, whatever locks it holds.</summary>
    public void Set()
    {
        TaskCompletionSource next;
        lock (_gate)
        {
            if (_isQueued || _next.Task.IsCompleted)
            {
                return;
            }

            (_isQueued, next) = (true, _next);
        }

        ThreadPool.UnsafeQueueUserWorkItem(static source => source.TrySetResult(), next, preferLocal: false);
    }

    /// <summary>Wakes the waiter and lets it go on in this call, until it waits for something again: no other thread has to be woken. For a thread that holds no lock and has time.</summary>
    public void SetHere()
    {
        TaskCompletionSource next;
        lock (_gate)
        {
            next = _next;
        }

        next.TrySetResult();
    }

    /// <summary>Forgets what was set. The waiter calls it, before it looks at what may have changed.</summary>
    public void Reset()
    {
        lock (_gate)
        {
            if (_next.Task.IsCompleted)
            {
                (_next, _isQueued) = (new TaskCompletionSource(), false);
            }
        }
    }
}
