using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Quickq.Agent.Ledger;
using Quickq.Agent.Observability;
using Quickq.Spool;

namespace Quickq.Agent.Upkeep;

/// <summary>What a step of an upkeep task left behind.</summary>
internal enum UpkeepProgress
{
    /// <summary>Nothing to do until the task's beginning is signalled again: an idle agent writes and wakes for nothing.</summary>
    NothingLeft,

    /// <summary>Something is there, but not due: look again after the period.</summary>
    Later,

    /// <summary>The step was full: the next one follows at once.</summary>
    MoreNow,
}

/// <summary>One row of the table of upkeep: a step that is done again and again.</summary>
/// <remarks>
/// Trouble of the disk or the file makes a task wait and go on. Anything else is a bug: it ends all tasks and comes out of <see cref="RunAllAsync"/> at once, so that
/// the agent does not live on without its upkeep.
/// </remarks>
/// <param name="Name">What it does, in words.</param>
/// <param name="Period">When to look again where something is there, but not due.</param>
/// <param name="Again">Completes when there may be something to do again.</param>
/// <param name="Step">One bounded step.</param>
/// <param name="Reset">After trouble: what the task has open is opened anew.</param>
internal sealed record UpkeepTask(string Name, TimeSpan Period, Func<Task> Again, Func<Task<UpkeepProgress>> Step, Action? Reset = null)
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1), LongestRetry = TimeSpan.FromSeconds(30);

    /// <summary>Runs them all, side by side, until the agent stops or one has a fault of its own: it is thrown at once, and the others begin no further step.</summary>
    public static async Task RunAllAsync(IReadOnlyCollection<UpkeepTask> tasks, SpoolHealth health, TimeProvider clock, ILogger log, CancellationToken stopping)
    {
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        Task[] running = [.. tasks.Select(task => task.RunAsync(health, clock, log, ends.Token))];
        await foreach (Task ended in Task.WhenEach(running))
        {
            if (ended.IsFaulted)
            {
                log.UpkeepFault(tasks.ElementAt(Array.IndexOf(running, ended)).Name);
                await ends.CancelAsync();
                await ended;
            }
        }
    }

    private async Task RunAsync(SpoolHealth health, TimeProvider clock, ILogger log, CancellationToken stopping)
    {
        TimeSpan retry = RetryAfter;
        Task? again = null;
        try
        {
            while (!stopping.IsCancellationRequested)
            {
                if (again is null || again.IsCompleted)
                {
                    // Armed before the step: what happens during it counts.
                    again = Again();
                }

                try
                {
                    UpkeepProgress progress = await Step();
                    retry = RetryAfter;
                    await (progress switch
                    {
                        UpkeepProgress.MoreNow => Task.CompletedTask,
                        UpkeepProgress.Later => Task.Delay(Period, clock, stopping),
                        _ => again.WaitAsync(stopping),
                    });
                }
                catch (Exception trouble) when (trouble is SqliteException or SpoolException)
                {
                    health.Note(trouble);

                    // The disk or the file is in trouble: the task goes on when it is over.
                    if (retry == RetryAfter)
                    {
                        log.UpkeepMustWait(trouble.Message);
                    }

                    Reset?.Invoke();
                    await Task.Delay(retry, clock, stopping);
                    retry = retry * 2 < LongestRetry ? retry * 2 : LongestRetry;
                }
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The agent stops; a step that was begun is finished.
        }
    }
}
