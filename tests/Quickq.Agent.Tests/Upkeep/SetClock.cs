namespace Quickq.Agent.Tests.Upkeep;

/// <summary>A wall clock that a test sets while the time itself goes on as ever; and a time since boot that a test moves.</summary>
internal sealed class SetClock : TimeProvider
{
    /// <summary>By how much the wall clock is wrong.</summary>
    public TimeSpan WallOffset { get; set; }

    /// <summary>How much more time has passed than really has, for both clocks.</summary>
    public TimeSpan Passed { get; set; }

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + Passed + WallOffset;

    public TimeSpan SinceBoot() => Quickq.Agent.Timing.ExpiryClock.SinceBoot() + Passed;
}
