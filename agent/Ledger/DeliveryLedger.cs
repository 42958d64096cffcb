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

    /// <summary>The log's size on disk does not fall while somebody reads: then it is no reason for another checkpoint at once.</summary>
    private static readonly TimeSpan CheckpointPace = TimeSpan.FromSeconds(1);
    private const long LogGrowth = 8L << 20;
    private static readonly TimeSpan SyncAfter = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LastRetry = TimeSpan.FromSeconds(5);

    private readonly SpoolFile _file;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly SettlementWriter _writer;
    private readonly ConcurrentDictionary<ISettlementSource, DeliveryRate> _sources = new();
    private readonly ConcurrentQueue<Job> _jobs = new();
    private readonly AutoResetEvent _work = new(initialState: false);
    private readonly ManualResetEventSlim _stop = new();
    private readonly Thread _thread;
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _unsynced;
    private long _syncedAt;
    private long _checkpointedAt, _logSizeThen;

    public DeliveryLedger(string spoolPath, RetrySchedule refusals, TimeProvider clock, ILogger log)
    {
        _file = SpoolFile.OpenForWriting(spoolPath, create: true, durable: false);
        _writer = new SettlementWriter(refusals);
        _clock = clock;
        _log = log;
        _syncedAt = clock.GetTimestamp();
        _thread = new Thread(Run) { IsBackground = true, Name = "ledger" };
        _thread.Start();
    }

    /// <summary>What became known about the spool's file.</summary>
    public SpoolHealth Health { get; } = new();

    /// <summary>Set when a message was deferred: from then on somebody must look when it is due.</summary>
    public Wakeup Deferred => _writer.Deferred;

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
        _jobs.Enqueue(new Job(
            connection =>
            {
                T result = job(connection);
                return () => done.SetResult(result);
            },
            done.SetException));
        _work.Set();
        return done.Task;
    }

    /// <summary>Has a record written soon; whoever posts it needs no answer.</summary>
    public void Post(Action<SqliteConnection> record)
    {
        _jobs.Enqueue(new Job(
            connection =>
            {
                record(connection);
                return static () => { };
            },
            _log.RecordFailed));
        _work.Set();
    }

    /// <summary>Commits and syncs what was handed over, then ends the thread.</summary>
    public Task StopAsync()
    {
        _stop.Set();
        _work.Set();
        return _stopped.Task;
    }

    public void Dispose()
    {
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
            RunJobs();
            if (WriteSettlements())
            {
                TimeSpan rest = Pace - _clock.GetElapsedTime(lastCommit);
                lastCommit = _clock.GetTimestamp();
                if (rest > TimeSpan.Zero)
                {
                    _stop.Wait(rest);
                }

                CheckpointIfNeeded();
                continue;
            }

            SyncIfDue(stopping);
            if (stopping && _jobs.IsEmpty)
            {
                _stopped.SetResult();
                return;
            }

            _work.WaitOne(_unsynced ? SyncAfter : Timeout.InfiniteTimeSpan);
        }
    }

    private void RunJobs()
    {
        while (_jobs.TryDequeue(out Job? job))
        {
            Action? completed = null;
            Exception? fault = null;
            WriteUntilItWorks(connection =>
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
            if (fault is null)
            {
                completed!();
            }
            else
            {
                job.Failed(fault);
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

        WriteUntilItWorks(connection =>
        {
            long now = _clock.NowMicroseconds();
            foreach ((_, DeliveryRate rate, SettlementBatch batch) in batches)
            {
                rate.Count_NeedsTransaction(connection, batch.Server, _writer.Write_NeedsTransaction(connection, batch), now);
            }
        });
        foreach ((ISettlementSource source, _, SettlementBatch batch) in batches)
        {
            source.Committed(batch);
        }

        return true;
    }

    private void WriteUntilItWorks(Action<SqliteConnection> work)
    {
        TimeSpan delay = FirstRetry;
        while (true)
        {
            bool sync = _clock.GetElapsedTime(_syncedAt) >= SyncAfter;
            try
            {
                if (sync)
                {
                    _file.SyncNextCommit();
                }

                _file.Write(connection => { work(connection); return true; });
                NoteSync(sync);
                if (delay != FirstRetry)
                {
                    _log.LedgerWorksAgain();
                }

                return;
            }
            catch (SpoolException trouble)
            {
                // Nothing is lost: the batch is still in memory, its rows still pending.
                Health.Note(trouble);
                if (delay == FirstRetry)
                {
                    _log.LedgerMustWait(trouble.Message);
                }

                _stop.Wait(delay);
                delay = delay * 2 < LastRetry ? delay * 2 : LastRetry;
            }
        }
    }

    private void SyncIfDue(bool atOnce)
    {
        if (_unsynced && (atOnce || _clock.GetElapsedTime(_syncedAt) >= SyncAfter))
        {
            _syncedAt = 0;
            WriteUntilItWorks(static connection => connection.Execute("UPDATE tally SET value = value WHERE name = 'removed'"));
        }
    }

    private void NoteSync(bool asked)
    {
        // A transaction that changed nothing wrote nothing, and synced nothing.
        if (!_file.LastWriteChangedRows)
        {
            return;
        }

        _unsynced = !asked;
        if (asked)
        {
            _syncedAt = _clock.GetTimestamp();
        }
    }

    private void CheckpointIfNeeded()
    {
        string log = SpoolPath.WriteAheadLog(_file.Path);
        if (_clock.GetElapsedTime(_checkpointedAt) < CheckpointPace && FileIdentity.SizeOf(log) - _logSizeThen < LogGrowth)
        {
            return;
        }

        try
        {
            Checkpointer.RunIfNeeded(_file, onlyWithoutAgent: false);
        }
        catch (SpoolException trouble)
        {
            _log.CheckpointFailed(trouble.Message);
        }

        (_checkpointedAt, _logSizeThen) = (_clock.GetTimestamp(), FileIdentity.SizeOf(log));
    }

    private sealed record Job(Func<SqliteConnection, Action> Work, Action<Exception> Failed);
}
