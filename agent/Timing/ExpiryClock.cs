using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Quickq.Agent.Observability;
using Quickq.Spool;
using Quickq.Spool.Files;

namespace Quickq.Agent.Timing;

/// <summary>Says whether a message's time to live is over, and never trusts a clock that was just set.</summary>
/// <remarks>
/// Compares the wall clock with the time since boot, suspended time included: when the two come apart by a minute or more between two looks, somebody set the
/// clock. For five minutes from then on nothing expires, so that a clock that is put right again has cost no message. Any thread.
/// </remarks>
/// <param name="clock">The wall clock.</param>
/// <param name="sinceBoot">A clock that nobody can set, and that runs on while the machine is suspended.</param>
/// <param name="log">Where a step is told.</param>
internal sealed class ExpiryClock(TimeProvider clock, Func<TimeSpan> sinceBoot, ILogger log)
{
    private static readonly TimeSpan Step = TimeSpan.FromMinutes(1), Patience = TimeSpan.FromMinutes(5);

    private readonly Lock _gate = new();
    private TimeSpan _offset = WallTime(clock) - sinceBoot();
    private TimeSpan? _waitingUntil;

    /// <summary>True for five minutes after a step of the clock.</summary>
    public bool IsWaiting
    {
        get
        {
            lock (_gate)
            {
                TimeSpan boot = sinceBoot();
                TimeSpan offset = WallTime(clock) - boot;
                if ((offset - _offset).Duration() >= Step)
                {
                    log.ClockSet(offset > _offset ? "forward" : "back", Rounded((offset - _offset).Duration()));
                    _waitingUntil = boot + Patience;
                }
                else if (_waitingUntil <= boot)
                {
                    log.ExpiresAgain();
                    _waitingUntil = null;
                }

                // What the clock is slowly adjusted by is no step.
                _offset = offset;
                return _waitingUntil is not null;
            }
        }
    }

    /// <summary>The time since boot, by CLOCK_BOOTTIME.</summary>
    public static unsafe TimeSpan SinceBoot()
    {
        long* time = stackalloc long[2];
        return Libc.GetTime(Libc.SinceBoot, time) == 0
            ? TimeSpan.FromSeconds(time[0]) + TimeSpan.FromTicks(time[1] / TimeSpan.NanosecondsPerTick)
            : throw new InvalidOperationException($"CLOCK_BOOTTIME cannot be read: {Libc.ErrorText(Marshal.GetLastPInvokeError())}");
    }

    /// <summary>Whether this time (microseconds since the epoch) has come, and may be trusted.</summary>
    /// <remarks>The time is read first: should the clock be set between the two looks, it is the old time that is judged by.</remarks>
    public bool IsOver(long expiresAt) => expiresAt <= clock.NowMicroseconds() && !IsWaiting;

    /// <summary>What is left of a message's time to live, for the server to go on with. Null: unknown, no limit.</summary>
    /// <remarks>Never more than it had at first. Where the clock says that it is over while that is not to be trusted, all of it: late is better than lost.</remarks>
    public TimeSpan? TimeLeft(long createdAt, long expiresAt)
    {
        // A foreign writer may have stored any number: as times, which have an end, they can be subtracted.
        DateTimeOffset end = SpoolTime.FromMicroseconds(expiresAt);
        TimeSpan whole = end - SpoolTime.FromMicroseconds(createdAt), left = end - clock.GetUtcNow();
        TimeSpan told = left <= TimeSpan.Zero && IsWaiting ? whole : whole > TimeSpan.Zero && whole < left ? whole : left;
        return told > TimeSpan.Zero ? told : IsWaiting ? null : TimeSpan.Zero;
    }

    private static TimeSpan WallTime(TimeProvider clock) => clock.GetUtcNow() - DateTimeOffset.UnixEpoch;

    private static TimeSpan Rounded(TimeSpan time) => TimeSpan.FromSeconds(Math.Round(time.TotalSeconds));
}
