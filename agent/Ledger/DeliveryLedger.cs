using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Quickq.Agent.Forwarding;
using Quickq.Agent.Observability;
using Quickq.Agent.Upkeep;
using Quickq.Spool;
using Quickq.Spool.Locking;
using Quickq.Spool.Upkeep;

namespace Quickq.Agent.Ledger;

/// <summary>
/// The only writer of what the agent learns. One thread, one connection: settlements of all servers go into common transactions.
/// </summary>
/// <remarks>
/// Guarantees: what a source handed over is written, whatever the disk says meanwhile (it is tried again until it works), and
/// <see cref="ISettlementSource.Committed"/> follows the commit. A commit is not synced by itself but at the latest a second later:
/// after a power cut the last second is sent again, never lost.
/// Sources and jobs come from any thread; everything else happens on the ledger's own.
/// At the end of <see cref="StopAsync"/> all that was handed over is committed and synced.
/// </remarks>
internal sealed class DeliveryLedger : IDisposable
{
    /// <summary>Under load so much time passes between two commits, so that one commit carries many settlements. An idle ledger commits at once.</summary>
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(10);

    private readonly LedgerFile _file;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly SettlementWriter _writer;
    private readonly ConcurrentDictionary<ISettlementSource, DeliveryRate> _sources = new();
    private readonly ConcurrentQueue<Job> _jobs = new();
    private readonly AutoResetEvent _work = new(initialState: false);
    private readonly ManualResetEventSlim _stop = new();
    private readonly Thread _thread;
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _checkpointWanted;

    public DeliveryLedger(string spoolPath, RetrySchedule refusals, TimeProvider clock, ILogger log)
    {
        Pulse = new Pulse("the ledger", clock);
        _file = new LedgerFile(spoolPath, Health, Pulse, clock, log);
        _writer = new SettlementWriter(refusals);
        _clock = clock;
        _log = log;
        _thread = new Thread(Run) { IsBackground = true, Name = "ledger" };
        _thread.Start();
    }

    public Pulse Pulse { get; }

    /// <summary>What became known about the spool's file.</summary>
    public SpoolHealth Health { get; } = new();

    /// <summary>Over this size the log is worth a <see cref="CheckpointSoon"/>.</summary>
    public long LogLimitBytes => _file.LogLimitBytes;

    /// <summary>Set when a message was deferred: from then on somebody must look when it is due.</summary>
    public Wakeup Deferred => _writer.Deferred;

    /// <summary>Set when messages may wait to be given to the servers.</summary>
    public Wakeup Unassigned { get; } = new();

    /// <summary>Says that a source has something, or will have from now on.</summary>
    public void Signal(ISettlementSource source)
    {
        if (!_sources.ContainsKey(source))
        {
            _sources.TryAdd(source, new DeliveryRate());
        }

        _work.Set();
    }

    /// <summary>Forgets a source whose forwarder is gone; everything it had must have been committed.</summary>
    public void Remove(ISettlementSource source) => _sources.TryRemove(source, out _);

    /// <summary>Runs <paramref name="job"/> in a transaction of its own; completes after the commit. Fails only if the job itself throws.</summary>
    public Task<T> RunAsync<T>(Func<SqliteConnection, T> job)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        Enqueue(new Job(
            connection => { T result = job(connection); return () => done.SetResult(result); },
            done.SetException));
        return done.Task;
    }

    /// <summary>As <see cref="RunAsync"/>, and tells for how long the lock was held for it: producers waited so long.</summary>
    public Task<(T Result, TimeSpan Held)> RunTimedAsync<T>(Func<SqliteConnection, T> job)
    {
        var done = new TaskCompletionSource<(T, TimeSpan)>(TaskCreationOptions.RunContinuationsAsynchronously);
        Enqueue(new Job(
            connection =>
            {
                T result = job(connection);
                return () => done.SetResult((result, _file.LastHold));
            },
            done.SetException));
        return done.Task;
    }

    /// <summary>Moves the log into the main file if it is over its limit: it grows without the ledger's doing while producers add and no server answers.</summary>
    public void CheckpointSoon()
    {
        _checkpointWanted = true;
        _work.Set();
    }

    /// <summary>Has a record written soon; whoever posts it needs no answer.</summary>
    public void Post(Action<SqliteConnection> record) => Enqueue(new Job(
        connection =>
        {
            record(connection);
            return static () => { };
        },
        _log.RecordFailed));

    /// <summary>From now on a write that fails is not tried again: the agent stops, and what the spool could not take is sent again at the next start.</summary>
    public void GiveUp() => _file.GiveUp();

    /// <summary>Commits and syncs what was handed over, then ends the thread.</summary>
    public Task StopAsync()
    {
        _stop.Set();
        _work.Set();
        return _stopped.Task;
    }

    public void Dispose()
    {
        GiveUp();
        _stop.Set();
        _work.Set();
        _thread.Join();
        _file.Dispose();
        _work.Dispose();
        _stop.Dispose();
    }

    private void Run()
    {
        // Must not die: an error of the spool is a reason to try again, anything else is a bug and ends the process.
        long lastCommit = 0;
        while (true)
        {
            bool stopping = _stop.IsSet;
            Pulse.Waits("writing to the spool", Pulse.SlowDisk);
            RunJobs();
            CheckpointIfWanted();
            if (WriteSettlements())
            {
                TimeSpan rest = Pace - _clock.GetElapsedTime(lastCommit);
                lastCommit = _clock.GetTimestamp();
                if (rest > TimeSpan.Zero)
                {
                    _stop.Wait(rest);
                }

                _file.CheckpointIfNeeded();
                continue;
            }

            _file.SyncIfDue(stopping);
            if (stopping && _jobs.IsEmpty)
            {
                _stopped.SetResult();
                return;
            }

            Pulse.Waits("work to come");
            _work.WaitOne(_file.HasUnsynced ? LedgerFile.SyncAfter : Timeout.InfiniteTimeSpan);
        }
    }

    private void Enqueue(Job job)
    {
        _jobs.Enqueue(job);
        _work.Set();
    }

    private void CheckpointIfWanted()
    {
        if (_checkpointWanted)
        {
            _checkpointWanted = false;
            _file.CheckpointIfNeeded();
        }
    }

    private void RunJobs()
    {
        // Those that are there now: who posts without end does not keep the settlements from being written.
        for (int left = _jobs.Count; left > 0 && _jobs.TryDequeue(out Job? job); left--)
        {
            Action? completed = null;
            Exception? fault = null;
            bool written = _file.WriteUntilItWorks(connection =>
            {
                try
                {
                    completed = job.Work(connection);
                }
                catch (Exception error) when (error is not SqliteException and not SpoolException)
                {
                    fault = error; // the asker's own mistake: it gets it back, and the ledger lives on
                }
            });
            if (written && fault is null)
            {
                completed!();
            }
            else
            {
                job.Failed(fault ?? new OperationCanceledException("the agent stops, and the spool cannot be written"));
            }
        }
    }

    private bool WriteSettlements()
    {
        List<(ISettlementSource Source, DeliveryRate Rate, SettlementBatch Batch)>? batches = null;
        foreach ((ISettlementSource source, DeliveryRate rate) in _sources)
        {
            if (source.TakeSettlements() is { } batch)
            {
                (batches ??= []).Add((source, rate, batch));
            }
        }

        if (batches is null)
        {
            return false;
        }

        _file.WriteUntilItWorks(connection =>
        {
            long now = _clock.NowMicroseconds();
            foreach ((_, DeliveryRate rate, SettlementBatch batch) in batches)
            {
                rate.Count_NeedsTransaction(connection, batch.Server, _writer.Write_NeedsTransaction(connection, batch), now);
            }
        });

        // Also when it gave up: then the agent stops, nobody settles the rows any more, and they are pending still at the next start.
        foreach ((ISettlementSource source, _, SettlementBatch batch) in batches)
        {
            source.Committed(batch);
        }

        return true;
    }

    private sealed record Job(Func<SqliteConnection, Action> Work, Action<Exception> Failed);
}
