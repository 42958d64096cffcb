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
    private bool _assigning;

    /// <summary>Set when servers came: from then on there may be messages to give to them.</summary>
    public Wakeup AssignmentWanted { get; } = new();

    /// <summary>Runs the table until the agent stops.</summary>
    public Task RunAsync(CancellationToken stopping)
    {
        UpkeepTask[] tasks =
        [
            //  what it does, a bounded step at a time                                  how often                again when
            new("gives messages that were accepted before to the servers that came",    TimeSpan.Zero,           AssignmentWanted, Assign),
            new("makes deferred messages pending that are due",                         TimeSpan.FromSeconds(1), ledger.Deferred, connection => DeferredMessages.MakeDuePending_NeedsTransaction(connection, clock)),
        ];
        return Task.WhenAll(tasks.Select(task => RunAsync(task, stopping)));
    }

    private UpkeepProgress Assign(SqliteConnection connection)
    {
        long before = ServerRegistry.CountAssignable(connection);
        if (before == 0)
        {
            return UpkeepProgress.NothingLeft;
        }

        if (!_assigning)
        {
            _assigning = true;
            log.Assigning(before);
        }

        if (ServerRegistry.AssignSome_NeedsTransaction(connection) > 0)
        {
            return UpkeepProgress.MoreNow;
        }

        _assigning = false;
        log.Assigned();
        return UpkeepProgress.NothingLeft;
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
