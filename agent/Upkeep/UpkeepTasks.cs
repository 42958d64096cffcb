using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Quickq.Agent.Forwarding;
using Quickq.Agent.Ledger;
using Quickq.Agent.Observability;

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

/// <summary>Everything that the agent does from time to time, in one table.</summary>
internal sealed class UpkeepTasks(DeliveryLedger ledger, TimeProvider clock, ILogger log)
{
    private readonly UpkeepTask[] _tasks =
    [
        //  what it does, a bounded step at a time               how often                begins when
        new("makes deferred messages pending that are due",      TimeSpan.FromSeconds(1), ledger.Deferred, connection => DeferredMessages.MakeDuePending_NeedsTransaction(connection, clock)),
    ];

    /// <summary>Runs the table until the agent stops; first the assignment of what was accepted before any server was known.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        await AssignAsync(stopping);
        await Task.WhenAll(_tasks.Select(task => RunAsync(task, stopping)));
    }

    private async Task AssignAsync(CancellationToken stopping)
    {
        long left = await ledger.RunAsync(ServerRegistry.CountUnassigned);
        if (left == 0)
        {
            return;
        }

        log.Assigning(left);
        while (left > 0 && !stopping.IsCancellationRequested)
        {
            left = await ledger.RunAsync(ServerRegistry.AssignSome_NeedsTransaction);
        }

        if (left == 0)
        {
            log.Assigned();
        }
    }

    private async Task RunAsync(UpkeepTask task, CancellationToken stopping)
    {
        try
        {
            while (!stopping.IsCancellationRequested)
            {
                task.Begin.Reset();
                UpkeepProgress progress = await ledger.RunAsync(task.Step);
                await (progress switch
                {
                    UpkeepProgress.MoreNow => Task.CompletedTask,
                    UpkeepProgress.Later => Task.Delay(task.Period, clock, stopping),
                    _ => task.Begin.Next.WaitAsync(stopping),
                });
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The agent stops; a step that was begun is finished.
        }
    }

    private sealed record UpkeepTask(string Name, TimeSpan Period, Wakeup Begin, Func<SqliteConnection, UpkeepProgress> Step);
}
