namespace Quickq.Agent.Broker;

/// <summary>
/// Notices a publish that the client does not take within the deadline. Costs nothing for those that it takes at once, and
/// nothing while nobody publishes: one timer runs only as long as there were waiting publishes of late.
/// </summary>
/// <remarks>One publish at a time. A breach is told once, on a timer's thread, and up to a sixth of the deadline late.</remarks>
internal sealed class PublishWatchdog : IDisposable
{
    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly TimeSpan _deadline;
    private readonly Func<bool> _excused;
    private readonly Action _breached;
    private readonly ITimer _timer;

    private long? _waitingSince;
    private bool _used;
    private bool _running;

    /// <param name="time">The clock.</param>
    /// <param name="deadline">How long a publish may wait.</param>
    /// <param name="excused">While true the clock stands still.</param>
    /// <param name="breached">What to do when the deadline is broken.</param>
    public PublishWatchdog(TimeProvider time, TimeSpan deadline, Func<bool> excused, Action breached)
    {
        (_time, _deadline, _excused, _breached) = (time, deadline, excused, breached);
        _timer = time.CreateTimer(_ => Look(), state: null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>A publish has begun to wait.</summary>
    public void Began()
    {
        lock (_gate)
        {
            _waitingSince = _time.GetTimestamp();
            _used = true;
            if (!_running)
            {
                _running = true;
                Rearm_NeedsLock();
            }
        }
    }

    /// <summary>It was taken, or failed.</summary>
    public void Ended()
    {
        lock (_gate)
        {
            _waitingSince = null;
        }
    }

    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        lock (_gate)
        {
            if (_waitingSince is { } since)
            {
                if (_excused())
                {
                    _waitingSince = _time.GetTimestamp();
                }
                else if (_time.GetElapsedTime(since) >= _deadline)
                {
                    _running = false;
                    _waitingSince = null;
                }
            }
            else if (!_used)
            {
                _running = false;
                return;
            }

            _used = false;
            if (_running)
            {
                Rearm_NeedsLock();
                return;
            }
        }

        _breached();
    }

    private void Rearm_NeedsLock() => _timer.Change(_deadline / 6, Timeout.InfiniteTimeSpan);
}
