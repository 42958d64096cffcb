namespace Quickq.Agent.Forwarding;

/// <summary>Lets one task wait until somebody says that something changed. Said twice before it is awaited counts once.</summary>
internal sealed class Wakeup
{
    private readonly Lock _gate = new();
    private TaskCompletionSource _next = NewSource();

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

    /// <summary>Wakes the waiter. Any thread.</summary>
    public void Set()
    {
        lock (_gate)
        {
            _next.TrySetResult();
        }
    }

    /// <summary>Forgets what was set. The waiter calls it, before it looks at what may have changed.</summary>
    public void Reset()
    {
        lock (_gate)
        {
            if (_next.Task.IsCompleted)
            {
                _next = NewSource();
            }
        }
    }

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
