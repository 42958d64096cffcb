using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Quickq.Agent.Observability;
using Quickq.Agent.Upkeep;
using Quickq.Spool;
using Quickq.Spool.Files;
using Quickq.Spool.Upkeep;

namespace Quickq.Agent.Ledger;

/// <summary>The ledger's way to the disk: writes until it works, syncs within a second, keeps the write-ahead log small, gives up the reserve on a full disk.</summary>
/// <remarks>
/// A full disk, an input/output error, a file system that became read-only and a file that cannot be opened are one class of trouble: the connection is closed,
/// opened again and the work repeated, with back-off, for as long as it takes. Whether the failed commit was stored is not known, so all work must read what is
/// there before it changes it. Belongs to the ledger's thread; only <see cref="GiveUp"/> comes from others.
/// </remarks>
internal sealed class LedgerFile : IDisposable
{
    /// <summary>No commit stays unsynced for longer.</summary>
    public static readonly TimeSpan SyncAfter = TimeSpan.FromSeconds(1);

    /// <summary>The log's size on disk does not fall while somebody reads: then it is no reason for another checkpoint at once.</summary>
    private static readonly TimeSpan CheckpointPace = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LastRetry = TimeSpan.FromSeconds(5);

    private readonly SpoolFile _file;
    private readonly SpoolHealth _health;
    private readonly LoopLiveness _pulse;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _giveUp = new();
    private readonly CheckpointLimit _limit = new();
    private long _syncedAt;
    private long _checkpointedAt;
    private long _logSizeThen;
    private long _reserveGivenUp;
    private bool _checkpointFails;

    public LedgerFile(string spoolPath, SpoolWatch? ownWatch, SpoolHealth health, LoopLiveness pulse, TimeProvider clock, ILogger log)
    {
        (_health, _pulse) = (health, pulse);
        _file = SpoolFile.OpenForWriting(spoolPath, create: true, durable: false);
        _file.OwnWatch = ownWatch;
        _clock = clock;
        _log = log;
        _syncedAt = clock.GetTimestamp();
    }

    /// <summary>Whether something is committed that a power cut could still take back.</summary>
    public bool HasUnsynced { get; private set; }

    /// <summary>Whether the last write changed any row.</summary>
    public bool LastWriteChangedRows => _file.LastWriteChangedRows;

    /// <summary>For how long the lock was held the last time.</summary>
    public TimeSpan LastHold => _file.LastHold;

    /// <summary>Over this size the log is checkpointed.</summary>
    public long LogLimitBytes => _limit.Bytes;

    /// <summary>From now on a write that fails is not tried again.</summary>
    public void GiveUp() => _giveUp.Cancel();

    /// <summary>Runs <paramref name="work"/> in a transaction, again and again until it is committed. False only after <see cref="GiveUp"/>.</summary>
    public bool WriteUntilItWorks(Action<SqliteConnection> work)
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

                _file.Write(connection =>
                {
                    NoteMissingReserve_NeedsTransaction(connection);
                    work(connection);
                    return true;
                }, _giveUp.Token);
                _reserveGivenUp = 0;
                NoteSync(sync);
                _pulse.Waits("writing to the spool", LoopLiveness.SlowDisk);
                if (delay != FirstRetry)
                {
                    _log.LedgerWorksAgain();
                }

                return true;
            }
            catch (OperationCanceledException) when (_giveUp.IsCancellationRequested)
            {
                _log.LedgerGaveUp("another process holds the lock of the spool");
                return false;
            }
            catch (SpoolException trouble) when (GiveReserveUp(trouble))
            {
                // At once again: there is room now.
            }
            catch (SpoolException trouble)
            {
                // Nothing is lost: the batch is still in memory, its rows still pending.
                _health.Note(trouble);
                if (delay == FirstRetry)
                {
                    _log.LedgerMustWait(trouble.Message);
                    _pulse.Waits($"the spool cannot be written: {trouble.Message}", isTrouble: true);
                }

                if (_giveUp.Token.WaitHandle.WaitOne(delay))
                {
                    _log.LedgerGaveUp(trouble.Message);
                    return false;
                }

                delay = delay * 2 < LastRetry ? delay * 2 : LastRetry;
            }
        }
    }

    /// <summary>Syncs what is committed, when it is time or <paramref name="atOnce"/>.</summary>
    public void SyncIfDue(bool atOnce)
    {
        if (HasUnsynced && (atOnce || _clock.GetElapsedTime(_syncedAt) >= SyncAfter))
        {
            _syncedAt = 0;
            WriteUntilItWorks(static connection => connection.Execute("UPDATE tally SET value = value WHERE name = 'removed'"));
        }
    }

    /// <summary>Checkpoints after a write when the log is over its limit, at most once a second unless it grows quickly.</summary>
    public void CheckpointIfNeeded() => CheckpointIfNeeded(_file.LogBytes);

    /// <summary>The same when others may have written.</summary>
    public void CheckpointNow() => CheckpointIfNeeded(long.MaxValue);

    private void CheckpointIfNeeded(long logBytes)
    {
        string log = SpoolPath.WriteAheadLog(_file.Path);
        try
        {
            logBytes = logBytes < long.MaxValue ? logBytes : FileIdentity.SizeOf(log);
            if (_clock.GetElapsedTime(_checkpointedAt) < CheckpointPace && logBytes - _logSizeThen < _limit.Bytes)
            {
                return;
            }

            if (Checkpointer.RunIfNeeded(_file, onlyWithoutAgent: false, _limit.Bytes, _giveUp.Token))
            {
                _limit.Note(LastHold);
            }

            (_checkpointedAt, _logSizeThen, _checkpointFails) = (_clock.GetTimestamp(), FileIdentity.SizeOf(log), false);
        }
        catch (OperationCanceledException) when (_giveUp.IsCancellationRequested)
        {
            // Whoever holds the lock does so for longer than the agent lives.
        }
        catch (SpoolException trouble)
        {
            if (!_checkpointFails)
            {
                _log.CheckpointFailed(trouble.Message);
            }

            (_checkpointedAt, _checkpointFails) = (_clock.GetTimestamp(), true);
        }
    }

    public void Dispose()
    {
        _file.Dispose();
        _giveUp.Dispose();
    }

    private void NoteSync(bool asked)
    {
        // A transaction that changed nothing wrote nothing, and synced nothing.
        if (!_file.LastWriteChangedRows)
        {
            return;
        }

        HasUnsynced = !asked;
        if (asked)
        {
            _syncedAt = _clock.GetTimestamp();
        }
    }

    /// <summary>True when there was a reserve, and giving it up may help.</summary>
    private bool GiveReserveUp(SpoolException trouble)
    {
        if (trouble.Fault is not SpoolFault.Full || !SpoolReserve.GiveUp(_file.Path))
        {
            return false;
        }

        _reserveGivenUp = SpoolReserve.SizeFor(_file.Path);
        _log.ReserveGivenUp(ByteSize.Describe(_reserveGivenUp), trouble.Message);
        return true;
    }

    /// <summary>The room is for what the agent has to write; producers count it as taken until the reserve is made again.</summary>
    private void NoteMissingReserve_NeedsTransaction(SqliteConnection connection)
    {
        if (_reserveGivenUp > 0)
        {
            ServerRegistry.WriteSetting_NeedsTransaction(connection, SpoolLimits.ReserveMissingSetting, _reserveGivenUp);
        }
    }
}
