namespace Quickq.SpoolCli.Service;

/// <summary>Whether a loop makes progress: it rests, or has been at one piece of work for less than its limit. The watchdog asks.</summary>
/// <param name="limit">How long one piece of work may take.</param>
/// <param name="clock">The clock.</param>
internal sealed class LoopLiveness(TimeSpan limit, TimeProvider clock)
{
    private const long Resting = 0;
    private long _since;

    /// <summary>Whether it is at work now.</summary>
    public bool IsAtWork => Volatile.Read(ref _since) != Resting;

    public bool IsStalled => Volatile.Read(ref _since) is var since && since != Resting && clock.GetElapsedTime(since) > limit;

    public void Works() => Volatile.Write(ref _since, Math.Max(1, clock.GetTimestamp()));

    public void Rests() => Volatile.Write(ref _since, Resting);
}
