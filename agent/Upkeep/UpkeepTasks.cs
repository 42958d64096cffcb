using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Quickq.Agent.Feed;
using Quickq.Agent.Forwarding;
using Quickq.Agent.Ledger;
using Quickq.Agent.Observability;
using Quickq.Agent.Settings;
using Quickq.Spool;
using Quickq.Spool.Upkeep;

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
internal sealed class UpkeepTasks(string spoolPath, DeliveryLedger ledger, SpoolSignal signal, ExpiryClock expiry, TimeProvider clock, ILogger log) : IDisposable
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1), LongestRetry = TimeSpan.FromSeconds(30);

    private readonly Retention _retention = new(spoolPath, ledger, expiry, clock, log);
    private readonly ExpiredMessages _expired = new(spoolPath, ledger, expiry, clock);
    private readonly DiskReserve _reserve = new(spoolPath, ledger, log);
    private readonly string _path = SpoolPath.FollowLinks(spoolPath);
    private bool _assigning;

    /// <summary>Set when servers came: from then on there may be messages to give to them.</summary>
    public Wakeup AssignmentWanted { get; } = new();

    /// <summary>Takes limits and retention of the configuration, at the start and after a reload; servers may have come with it.</summary>
    public void Apply(SpoolSettings settings)
    {
        _reserve.MinFreeDiskBytes = settings.MinFreeDiskBytes;
        _retention.Settings = settings;
        _retention.LookAgain();
        AssignmentWanted.Set();
    }

    /// <summary>Runs the table until the agent stops.</summary>
    public Task RunAsync(CancellationToken stopping)
    {
        UpkeepTask[] tasks =
        [
            //  what it does, a bounded step at a time                                  period of looking          again when                              step
            new("gives messages that were accepted before to the servers that came",    TimeSpan.Zero,             Set(AssignmentWanted),                  InLedger(Assign)),
            new("makes deferred messages pending that are due",                         TimeSpan.FromSeconds(1),   Set(ledger.Deferred),                   InLedger(connection => DeferredMessages.MakeDuePending_NeedsTransaction(connection, clock))),
            new("expires messages whose time to live is over, wherever they wait",      TimeSpan.Zero,             Changed(TimeSpan.FromSeconds(0.5)),     _expired.StepAsync, _expired.Reset),
            new("cuts the write-ahead log back when it is over its limit",              TimeSpan.Zero,             Changed(TimeSpan.FromSeconds(0.1)),     CutLogBackAsync),
            new("removes settled messages, gives free pages back to the disk",          TimeSpan.Zero,             Changed(TimeSpan.FromSeconds(0.1)),     () => _retention.StepAsync(stopping), _retention.Reset),
            new("keeps a reserve of disk space for a full disk",                        TimeSpan.FromSeconds(2),   Changed(TimeSpan.FromSeconds(1)),       _reserve.StepAsync),
        ];
        return Task.WhenAll(tasks.Select(task => RunAsync(task, stopping)));

        Func<Task<UpkeepProgress>> InLedger(Func<SqliteConnection, UpkeepProgress> step) => () => ledger.RunAsync(step);

        // The spool was written to, or was not for some seconds (the disk may fill without that); then at most once in this time.
        Func<Task> Changed(TimeSpan pace) => async () =>
        {
            await signal.NextChange.WaitAsync(stopping);
            await Task.Delay(pace, clock, stopping);
        };
    }

    public void Dispose()
    {
        _retention.Dispose();
        _expired.Dispose();
    }

    private static Func<Task> Set(Wakeup wakeup) => () =>
    {
        wakeup.Reset();
        return wakeup.Next;
    };

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

    private Task<UpkeepProgress> CutLogBackAsync()
    {
        if (Checkpointer.IsNeeded(_path))
        {
            ledger.CheckpointSoon();
        }

        return Task.FromResult(UpkeepProgress.NothingLeft);
    }

    private async Task RunAsync(UpkeepTask task, CancellationToken stopping)
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
                    again = task.Again();
                }

                try
                {
                    UpkeepProgress progress = await task.Step();
                    retry = RetryAfter;
                    await (progress switch
                    {
                        UpkeepProgress.MoreNow => Task.CompletedTask,
                        UpkeepProgress.Later => Task.Delay(task.Period, clock, stopping),
                        _ => again.WaitAsync(stopping),
                    });
                }
                catch (Exception trouble) when (trouble is SqliteException or SpoolException)
                {
                    ledger.Health.Note(trouble);
                    // The disk or the file is in trouble: the task goes on when it is over.
                    if (retry == RetryAfter)
                    {
                        log.UpkeepMustWait(trouble.Message);
                    }

                    task.Reset?.Invoke();
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

    private sealed record UpkeepTask(string Name, TimeSpan Period, Func<Task> Again, Func<Task<UpkeepProgress>> Step, Action? Reset = null);
}
