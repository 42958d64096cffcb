using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Quickq.Agent.Feed;
using Quickq.Agent.Forwarding;
using Quickq.Agent.Ledger;
using Quickq.Agent.Observability;
using Quickq.Agent.Settings;
using Quickq.Agent.Timing;
using Quickq.Spool;
using Quickq.Spool.Upkeep;

namespace Quickq.Agent.Upkeep;

/// <summary>Everything that the agent does from time to time, in one table.</summary>
internal sealed class UpkeepTasks(string spoolPath, DeliveryLedger ledger, SpoolSignal signal, ExpiryClock expiry, TimeProvider clock, ILogger log) : IDisposable
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(5), LookPace = TimeSpan.FromSeconds(0.25);

    private readonly Retention _retention = new(spoolPath, ledger, expiry, clock, log);
    private readonly ExpiredMessages _expired = new(spoolPath, ledger, expiry, clock);
    private readonly DiskReserve _reserve = new(spoolPath, ledger, log);
    private readonly SpoolFolder _folder = new(spoolPath, log);
    private readonly string _path = SpoolPath.FollowLinks(spoolPath);
    private readonly Lock _gate = new();
    private Task? _look;
    private bool _assigning;

    /// <summary>Takes limits and retention of the configuration, at the start and after a reload; servers may have come with it.</summary>
    public void Apply(SpoolSettings settings)
    {
        _reserve.MinFreeDiskBytes = settings.MinFreeDiskBytes;
        _retention.Settings = settings;
        _retention.LookAgain();
        ledger.Unassigned.Set();
    }

    /// <summary>Runs the table until the agent stops.</summary>
    public Task RunAsync(CancellationToken stopping)
    {
        UpkeepTask[] tasks =
        [
            //  what it does, a bounded step at a time                                  period of looking          again when                              step
            new("gives messages that were accepted before to the servers that came",    TimeSpan.Zero,             Set(ledger.Unassigned),                 InLedger(Assign)),
            new("makes deferred messages pending that are due",                         TimeSpan.FromSeconds(1),   Set(ledger.Deferred),                   InLedger(connection => DeferredMessages.MakeDuePending_NeedsTransaction(connection, clock))),
            new("expires messages whose time to live is over, wherever they wait",      TimeSpan.Zero,             Changed,                                _expired.StepAsync, _expired.Reset),
            new("cuts the write-ahead log back when it is over its limit",              TimeSpan.Zero,             Changed,                                CutLogBackAsync),
            new("removes settled messages, gives free pages back to the disk",          TimeSpan.FromSeconds(0.1), Changed,                                () => _retention.StepAsync(stopping), _retention.Reset),
            new("keeps a reserve of disk space for a full disk",                        TimeSpan.FromSeconds(2),   Changed,                                _reserve.StepAsync),
            new("warns when others may write the spool's folder",                       TimeSpan.Zero,             Changed,                                _folder.StepAsync),
        ];
        return UpkeepTask.RunAllAsync(tasks, ledger.Health, clock, log, stopping);

        Func<Task<UpkeepProgress>> InLedger(Func<SqliteConnection, UpkeepProgress> step) => () => ledger.RunAsync(step);

        Task Changed() => NextLook(stopping);
    }

    public void Dispose()
    {
        _retention.Dispose();
        _expired.Dispose();
    }

    /// <summary>
    /// The spool was written to; then at most once in <see cref="LookPace"/>. Or it was not for some seconds: time passes, and the disk may fill, without that. One timer for
    /// all who look: an idle agent wakes once for the whole table.
    /// </summary>
    private Task NextLook(CancellationToken stopping)
    {
        lock (_gate)
        {
            return _look is { IsCompleted: false } ? _look : _look = LookAsync();
        }

        async Task LookAsync()
        {
            using var ends = CancellationTokenSource.CreateLinkedTokenSource(stopping);
            Task change = signal.NextChange;
            Task first = await Task.WhenAny(change, Task.Delay(LookEvery, clock, ends.Token));
            await ends.CancelAsync();
            stopping.ThrowIfCancellationRequested();
            if (first == change)
            {
                await Task.Delay(LookPace, clock, stopping);
            }
        }
    }

    private static Func<Task> Set(AsyncSignal wakeup) => () =>
    {
        wakeup.Reset();
        return wakeup.Next;
    };

    private UpkeepProgress Assign(SqliteConnection connection)
    {
        long before = MessageAssignment.CountLeft(connection);
        if (before == 0)
        {
            return UpkeepProgress.NothingLeft;
        }

        if (!_assigning)
        {
            _assigning = true;
            log.Assigning(before);
        }

        if (MessageAssignment.AssignSome_NeedsTransaction(connection))
        {
            return UpkeepProgress.MoreNow;
        }

        _assigning = false;
        log.Assigned();
        return UpkeepProgress.NothingLeft;
    }

    private Task<UpkeepProgress> CutLogBackAsync()
    {
        if (Checkpointer.IsNeeded(_path, ledger.LogLimitBytes))
        {
            ledger.CheckpointSoon();
        }

        return Task.FromResult(UpkeepProgress.NothingLeft);
    }
}
