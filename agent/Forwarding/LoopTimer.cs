namespace Quickq.Agent.Forwarding;

/// <summary>Turns a loop at a time at the latest. One timer for many waits: it is set again only for an earlier time, and a turn too many does no harm.</summary>
internal sealed class LoopTimer : IDisposable
{
    private readonly TimeProvider _clock;
    private readonly ITimer _timer;
    private int _isSet;
    private long _setAt;
    private TimeSpan _after;

    /// <param name="clock">The clock.</param>
    /// <param name="due">Called on a timer's thread.</param>
    public LoopTimer(TimeProvider clock, Action due)
    {
        _clock = clock;
        _timer = clock.CreateTimer(_ => Fire(due), state: null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Sets it, if it is not due before then anyhow. The loop only; null is never.</summary>
    public void Set(TimeSpan? due)
    {
        if (due is { } wait && (Volatile.Read(ref _isSet) == 0 || _clock.GetElapsedTime(_setAt) + wait < _after))
        {
            (_setAt, _after) = (_clock.GetTimestamp(), wait);
            Volatile.Write(ref _isSet, 1);
            _timer.Change(wait, Timeout.InfiniteTimeSpan);
        }
    }

    public void Dispose() => _timer.Dispose();

    private void Fire(Action due)
    {
        Volatile.Write(ref _isSet, 0);
        due();
    }
}
