using Microsoft.Extensions.Logging;
using Quickq.Agent.Forwarding;
using Quickq.Agent.Ledger;
using Quickq.Agent.Observability;
using Quickq.Spool.Repair;
using Quickq.Spool;
using Quickq.Spool.Inspect;

namespace Quickq.Agent.Upkeep;

/// <summary>Looks for damage of the spool's file, again and again, and has it repaired when it, or anybody who uses the spool, finds some.</summary>
/// <remarks>
/// The repair takes the write lock and puts a fresh file in the place of the damaged one; ledger and feeds see that and go on with it, producers too. What was in flight
/// is settled in the fresh file. When the repair does not work (no room, no permission) it is tried again, and the agent stays up: no restart would mend it.
/// The check takes a thousandth of the time at most, so a small spool is looked at every few seconds and a large one a few times a day. It gives up after
/// a time, since the log cannot be cut back while it runs: a spool too large for it is checked by an operator.
/// </remarks>
internal sealed class DamageWatch(string spoolPath, SpoolHealth health, TimeProvider clock, ILogger log)
{
    /// <summary>After the start what waited goes out first: a check of a large spool takes a core for some seconds (docs/performance.md).</summary>
    private static readonly TimeSpan FirstCheckAfter = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan ShortestPause = TimeSpan.FromSeconds(10), LongestPause = TimeSpan.FromDays(1);
    private static readonly TimeSpan CheckBudget = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(10), LastRetry = TimeSpan.FromMinutes(5);

    private const int PauseForEachCheck = 1000;

    private TimeSpan _pause = FirstCheckAfter;

    /// <summary>Runs until the agent stops.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            string? finding = null;
            while (true)
            {
                health.Damaged.Reset();
                if (finding is not null)
                {
                    log.SpoolDamaged(finding);
                    await RepairUntilItWorksAsync(spoolPath, clock, log, stopping);
                    health.Replaced.Set();
                }

                Task damaged = health.Damaged.Next;
                Task first = await Task.WhenAny(damaged, Task.Delay(_pause, clock, stopping));
                stopping.ThrowIfCancellationRequested();
                finding = first == damaged ? "an error of SQLite said so"
                    : await Task.Factory.StartNew(() => Check(stopping), stopping, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The agent stops. A repair that was begun ends with the process, whole or undone at the next start.
        }
    }

    /// <summary>Repairs the spool, trying again until it works. The first attempt is made at once.</summary>
    public static async Task RepairUntilItWorksAsync(string spoolPath, TimeProvider clock, ILogger log, CancellationToken stopping)
    {
        for (TimeSpan delay = FirstRetry; ; delay = delay * 2 < LastRetry ? delay * 2 : LastRetry)
        {
            try
            {
                RepairReport? report = await Task.Factory.StartNew(() => SpoolRepair.Run(spoolPath), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)
                    .WaitAsync(stopping);
                if (report is not null)
                {
                    log.SpoolRepaired(report.MessagesSaved, report.LostIsExact ? "" : "at least ", report.MessagesLost, report.DeliveriesReset, report.Aside);
                    return;
                }

                // Somebody else repaired it, or the error did not come from the file. Not to be looked at whole again and again.
                log.SpoolFoundSound();
                await Task.Delay(FirstRetry, clock, stopping);
                return;
            }
            catch (SpoolException trouble)
            {
                log.RepairFailed(trouble.Message, trouble.Hint ?? "", delay);
            }

            await Task.Delay(delay, clock, stopping);
        }
    }

    private string? Check(CancellationToken stopping)
    {
        // Who delivers must not share the cores evenly with the check of a large spool.
        BackgroundPriority.Take();
        long begin = clock.GetTimestamp();
        try
        {
            string? finding = TimedCheck.Run(spoolPath, CheckBudget, clock, stopping, out bool finished);
            if (!finished && !stopping.IsCancellationRequested)
            {
                log.CheckGaveUp(CheckBudget);
            }

            return finding;
        }
        catch (SpoolException trouble)
        {
            // Whoever needs the spool meets the same trouble, says it and waits; the check comes again.
            log.CheckFailed(trouble.Message);
            return null;
        }
        finally
        {
            TimeSpan pause = clock.GetElapsedTime(begin) * PauseForEachCheck;
            _pause = pause < ShortestPause ? ShortestPause : pause > LongestPause ? LongestPause : pause;
        }
    }
}
