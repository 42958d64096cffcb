namespace Quickq.Agent.Observability;

/// <summary>Tells whether one loop of the agent still turns, and what it is doing; this is what the watchdog listens to.</summary>
/// <remarks>
/// The loop either beats, at least every <see cref="Limit"/>, or waits for something that it names. A wait may have an end: what is not over by
/// then counts as stalled too, so that a wake-up which got lost is found. One loop beats; anyone may ask.
/// Every deadline within the loops (a publish 30 s, a handshake 15 s) is well below the limit: who exceeds it is beyond all of them.
/// </remarks>
/// <param name="who">The loop, in words: a server's name, the ledger.</param>
/// <param name="clock">The clock; it stands still while the machine sleeps.</param>
internal sealed class LoopLiveness(string who, TimeProvider clock)
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private long _beatAt = clock.GetTimestamp();
    private volatile NamedWait? _wait;
    private volatile Func<bool>? _excuse;

    /// <summary>Something so slow is no longer a disk.</summary>
    public static readonly TimeSpan SlowDisk = TimeSpan.FromMinutes(5);

    public string Who { get; } = who;

    /// <summary>Why the loop cannot go on, where that is for an operator to know; else null.</summary>
    public string? Trouble => _wait is { IsTrouble: true, Reason: var reason } ? reason : null;

    /// <summary>The loop turns.</summary>
    public void Beat()
    {
        Volatile.Write(ref _beatAt, clock.GetTimestamp());
        if (_wait is not null)
        {
            _wait = null;
        }
    }

    /// <summary>The loop waits, until its next beat.</summary>
    /// <param name="reason">For what, in words.</param>
    /// <param name="atMost">When the wait should be over by itself; null where nobody can tell.</param>
    /// <param name="isTrouble">Whether an operator should know.</param>
    public void Waits(string reason, TimeSpan? atMost = null, bool isTrouble = false)
    {
        Volatile.Write(ref _beatAt, clock.GetTimestamp());
        _wait = new NamedWait(reason, atMost + Limit, isTrouble);
    }

    /// <summary>While this says yes, a step that does not end is no stall: the broker reads nothing, and what is half sent must wait.</summary>
    public void ExcusedWhile(Func<bool>? excuse) => _excuse = excuse;

    /// <summary>Null while all is well; else for how long there has been no progress, and in what.</summary>
    public (TimeSpan For, string Doing)? Stall()
    {
        NamedWait? wait = _wait;
        TimeSpan elapsed = clock.GetElapsedTime(Volatile.Read(ref _beatAt));
        TimeSpan? limit = wait is null ? Limit : wait.Limit;
        return elapsed <= limit || limit is null || _excuse?.Invoke() == true ? null : (elapsed, wait?.Reason ?? "at work");
    }

    private sealed record NamedWait(string Reason, TimeSpan? Limit, bool IsTrouble);
}
