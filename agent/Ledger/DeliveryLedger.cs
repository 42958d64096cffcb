using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Quickq.Agent.Feed;
using Quickq.Agent.Forwarding;
using Quickq.Agent.Observability;
using Quickq.Agent.Timing;
using Quickq.Agent.Upkeep;
using Quickq.Spool;
using Quickq.Spool.Files;
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
    /// <summary>While other messages are out, an outcome waits so long for theirs, at most: two servers answer for one message within a moment, and one commit does for both.</summary>
    private static readonly TimeSpan Company = TimeSpan.FromMilliseconds(4);

    /// <summary>After a commit of more than one outcome from each server the next is so many times as far off as that one took, and no further than <see cref="LongestRest"/>.</summary>
    private const int RestAfterBatch = 7;
    private static readonly TimeSpan LongestRest = TimeSpan.FromMilliseconds(10);

    /// <summary>The shortest time that a thread can be told to wait.</summary>
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(1);

    private readonly LedgerFile _file;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly SettlementWriter _writer;
    private readonly ConcurrentDictionary<ISettlementSource, Account> _sources = new();
    private readonly ConcurrentQueue<Job> _jobs = new();
    private readonly AutoResetEvent _work = new(initialState: false);
    private readonly SpoolSignal? _signal;
    private readonly Thread _thread;
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _stop;
    private volatile bool _checkpointWanted;
    private volatile bool _settlementsWait;
    private volatile Waiting _waiting;

    /// <param name="spoolPath">The spool.</param>
    /// <param name="refusals">When a message that was refused is tried again.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="log">Where trouble is told.</param>
    /// <param name="signal">The agent's signal: it is told of what jobs change, and does not wake for settlements. Without one the ledger announces what it writes as any other program does.</param>
    public DeliveryLedger(string spoolPath, RetrySchedule refusals, TimeProvider clock, ILogger log, SpoolSignal? signal = null)
    {
        LoopLiveness = new LoopLiveness("the ledger", clock);
        _signal = signal;
        _file = new LedgerFile(spoolPath, signal?.Watch, Health, LoopLiveness, clock, log);
        _writer = new SettlementWriter(refusals);
        _clock = clock;
        _log = log;
        _thread = new Thread(Run) { IsBackground = true, Name = "ledger" };
        _thread.Start();
    }

    /// <summary>What the ledger's thread waits for, and so who must wake it.</summary>
    private enum Waiting
    {
        /// <summary>Anything.</summary>
        ForWork,

        /// <summary>Settlements are there, and more may come at once: for the last of them.</summary>
        ForCompany,

        /// <summary>The last commit was not long ago: for no settlement.</summary>
        ForItsTime,
    }

    public LoopLiveness LoopLiveness { get; }

    /// <summary>What became known about the spool's file.</summary>
    public SpoolHealth Health { get; } = new();

    /// <summary>Over this size the log is worth a <see cref="CheckpointSoon"/>.</summary>
    public long LogLimitBytes => _file.LogLimitBytes;

    /// <summary>Set when a message was deferred: from then on somebody must look when it is due.</summary>
    public AsyncSignal Deferred => _writer.Deferred;

    /// <summary>Set when messages may wait to be given to the servers.</summary>
    public AsyncSignal Unassigned { get; } = new();

    /// <summary>Says that a source has something, or will have from now on.</summary>
    public void Signal(ISettlementSource source)
    {
        if (!_sources.ContainsKey(source))
        {
            _sources.TryAdd(source, new Account());
        }

        _settlementsWait = true;
        Waiting waiting = _waiting;
        if (waiting == Waiting.ForWork || (waiting == Waiting.ForCompany && !MayMoreCome()))
        {
            _work.Set();
        }
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
        _stop = true;
        _work.Set();
        return _stopped.Task;
    }

    public void Dispose()
    {
        GiveUp();
        _stop = true;
        _work.Set();
        _thread.Join();
        _file.Dispose();
        _work.Dispose();
    }

    private void Run()
    {
        // Must not die: an error of the spool is a reason to try again, anything else is a bug and ends the process.
        long waitingSince = 0, restingSince = 0;
        TimeSpan rest = TimeSpan.Zero;
        while (true)
        {
            bool stopping = _stop;
            LoopLiveness.Waits("writing to the spool", LoopLiveness.SlowDisk);
            RunJobs();
            CheckpointIfWanted();
            if (_settlementsWait)
            {
                waitingSince = waitingSince == 0 ? _clock.GetTimestamp() : waitingSince;
                if (stopping || !WaitsFor(rest - _clock.GetElapsedTime(restingSince), Company - _clock.GetElapsedTime(waitingSince)))
                {
                    (waitingSince, _settlementsWait) = (0, false);
                    rest = WriteSettlements();
                    restingSince = _clock.GetTimestamp();
                    _file.CheckpointIfNeeded();
                }

                continue;
            }

            _file.SyncIfDue(stopping);
            if (stopping && _jobs.IsEmpty && !_settlementsWait)
            {
                _stopped.SetResult();
                return;
            }

            LoopLiveness.Waits("work to come");
            _work.WaitOne(_file.HasUnsynced ? LedgerFile.SyncAfter : Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Waits where the settlements that are there should not be written yet; false when they should.</summary>
    private bool WaitsFor(TimeSpan rest, TimeSpan company)
    {
        if (rest >= Tick)
        {
            _waiting = Waiting.ForItsTime;
        }
        else if (company > TimeSpan.Zero)
        {
            // First say so, then look: the source that settles the last one looks in the other order, and wakes us.
            _waiting = Waiting.ForCompany;
            if (!MayMoreCome())
            {
                _waiting = Waiting.ForWork;
                return false;
            }
        }
        else
        {
            return false;
        }

        _work.WaitOne(rest >= Tick ? rest : company > Tick ? company : Tick);
        _waiting = Waiting.ForWork;
        return true;
    }

    private bool MayMoreCome()
    {
        foreach ((ISettlementSource source, Account account) in _sources)
        {
            if (!account.IsSilent && source.AwaitsMore)
            {
                return true;
            }
        }

        return false;
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
            _file.CheckpointNow();
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
                    fault = error; // the asker's own error: it gets it back, and the ledger lives on
                }
            });
            if (written && fault is null)
            {
                if (_file.LastWriteChangedRows)
                {
                    _signal?.Changed();
                }

                completed!();
            }
            else
            {
                job.Failed(fault ?? new OperationCanceledException("the agent stops, and the spool cannot be written"));
            }
        }
    }

    /// <summary>Writes what the sources have; returns how long to rest afterwards.</summary>
    private TimeSpan WriteSettlements()
    {
        List<(ISettlementSource Source, DeliveryRate Rate, SettlementBatch Batch)>? batches = null;
        int count = 0;
        foreach ((ISettlementSource source, Account account) in _sources)
        {
            SettlementBatch? taken = source.TakeSettlements();
            account.IsSilent = taken is null;
            if (taken is { } batch)
            {
                (batches ??= []).Add((source, account.Rate, batch));
                count += batch.Settlements.Count;
            }
        }

        if (batches is null)
        {
            return TimeSpan.Zero;
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

        TimeSpan rest = count > batches.Count ? _file.LastHold * RestAfterBatch : TimeSpan.Zero;
        return rest < LongestRest ? rest : LongestRest;
    }

    /// <summary>What the ledger keeps of a source.</summary>
    private sealed class Account
    {
        private volatile bool _isSilent;

        public DeliveryRate Rate { get; } = new();

        /// <summary>It had nothing at the last write: a server that hangs is not waited for, until it settles something.</summary>
        public bool IsSilent
        {
            get => _isSilent;
            set => _isSilent = value;
        }
    }

    private sealed record Job(Func<SqliteConnection, Action> Work, Action<Exception> Failed);
}
