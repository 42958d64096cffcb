using System.Diagnostics;
using Microsoft.Data.Sqlite;
using Quickq.Spool.Files;
using Quickq.Spool.Repair;
using Quickq.Spool.Schema;
using Quickq.Spool.Storage;
using SQLitePCL;

namespace Quickq.Spool;

/// <summary>
/// An open spool: the path check, the pragmas, and the one way to run a write transaction.
/// </summary>
/// <remarks>
/// <see cref="Write{T}"/> takes the lock, makes sure that the path still names the file that is open (it may have been moved aside) and that its WAL is whole,
/// begins, runs the work, commits and releases the lock. After a failure of the disk the connection is closed and opened afresh.
/// Belongs to one thread at a time. Statements prepared on a connection die with it: compare <see cref="Connection"/> before reuse.
/// </remarks>
internal sealed class SpoolFile : IDisposable
{
    /// <summary>How long a writer waits for the lock before it says "try later".</summary>
    public static readonly TimeSpan LockDeadline = TimeSpan.FromSeconds(30);

    private readonly WriteLock? _lock;
    private readonly string _synchronous;
    private OpenDatabase? _open;
    private bool _fullSync;
    private bool _walIsChecked;
    private uint? _commitsSeen;

    private SpoolFile(string resolved, WriteLock? writeLock, string synchronous)
    {
        Path = resolved;
        _lock = writeLock;
        _synchronous = synchronous;
    }

    /// <summary>The path with symbolic links followed.</summary>
    public string Path { get; }

    /// <summary>The open connection.</summary>
    public SqliteConnection Connection => _open?.Connection ?? throw new ObjectDisposedException(nameof(SpoolFile));

    /// <summary>The file that is open.</summary>
    public FileIdentity? Identity => _open?.Identity;

    /// <summary>Opens an existing spool for reading: no lock, no transaction longer than a statement of the caller's.</summary>
    public static SpoolFile OpenForReading(string path)
    {
        string resolved = RequireExisting(path);
        SpoolOwnership.RequireFiles(resolved);
        var file = new SpoolFile(resolved, writeLock: null, "FULL");
        try
        {
            file.OpenWithModes();
            return file.Read(connection =>
            {
                connection.Execute("PRAGMA query_only=ON");
                SpoolSchema.RequireReadable(connection, file.Path);
                return file;
            });
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>As <see cref="OpenForReading"/>, with the tables of this program's format: an older spool is raised to it first.</summary>
    /// <exception cref="SpoolException">As for opening it for writing, where it is older.</exception>
    public static SpoolFile OpenUpgraded(string path)
    {
        SpoolFile file = OpenForReading(path);
        if (!file._open!.IsOlder)
        {
            return file;
        }

        file.Dispose();
        OpenForWriting(path, create: false).Dispose();
        return OpenForReading(path);
    }

    /// <summary>Where opening put the log of an earlier spool whose file is gone; else null.</summary>
    public string? KeptLog { get; private init; }

    /// <summary>Opens a spool for writing, making it when there is none and <paramref name="create"/> is set.</summary>
    /// <param name="path">The spool.</param>
    /// <param name="create">Whether to make a new spool.</param>
    /// <param name="durable">
    /// True: each commit is synced (<c>synchronous=FULL</c>). False: only those that ask for it by <see cref="SyncNextCommit"/>; what a power cut
    /// then takes back must be harmless.
    /// </param>
    public static SpoolFile OpenForWriting(string path, bool create, bool durable = true)
    {
        string resolved = create ? SpoolPath.FollowLinks(path) : RequireExisting(path);
        bool draftLeft = SpoolOwnership.RequireFiles(resolved);
        FileSystemSpace.RequireLocal(resolved);
        if (draftLeft)
        {
            SpoolCreation.RemoveDrafts(resolved);
        }

        if (!SpoolCreation.IsMissing(resolved) && FileIdentity.Find(SpoolPath.LockFile(resolved)) is null)
        {
            OpenDatabase.Open(resolved).Dispose(); // what is no spool gets no lock beside it either
        }

        string? keptLog = create && SpoolCreation.IsMissing(resolved) ? SpoolCreation.CreateIfMissing(resolved) : null;
        var file = new SpoolFile(resolved, new WriteLock(resolved) { PausesFirst = durable ? 0 : 3 }, durable ? "FULL" : "NORMAL") { KeptLog = keptLog };
        try
        {
            file.OpenWithModes();
            if (file._open!.IsOlder)
            {
                file.UnderLock(static _ => true);
            }

            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Whether the last <see cref="Write{T}"/> changed any row; one that did not wrote nothing to the disk.</summary>
    public bool LastWriteChangedRows { get; private set; }

    /// <summary>How large the WAL was before the last <see cref="Write{T}"/>.</summary>
    public long LogBytes { get; private set; }

    /// <summary>For how long the lock was held the last time.</summary>
    public TimeSpan LastHold { get; private set; }

    /// <summary>The agent's own watch, where this is the agent's own writing: then it touches the agent's file instead of the lock file, and nobody wakes for it but open waits.</summary>
    public SpoolWatch? OwnWatch { get; set; }

    /// <summary>Makes the next <see cref="Write{T}"/> sync its commit, and with it every earlier one.</summary>
    public void SyncNextCommit() => _fullSync = true;

    /// <summary>Runs <paramref name="work"/> in one write transaction; on return it is committed. On an exception nothing of it is stored.</summary>
    /// <param name="work">What to do in the transaction.</param>
    /// <param name="stop">Ends the wait for the lock; <paramref name="work"/> itself is never interrupted.</param>
    /// <exception cref="SpoolException">Locked too long, full, input/output error, damaged.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> ended the wait; nothing was done.</exception>
    public T Write<T>(Func<SqliteConnection, T> work, CancellationToken stop = default) => UnderLock(connection =>
    {
        _open!.SetSync(_fullSync ? "FULL" : _synchronous);
        _fullSync = false;
        connection.Execute("BEGIN IMMEDIATE");
        int before = raw.sqlite3_total_changes(connection.Handle!);
        try
        {
            _open.RequireKnownSchema();
            T result = work(connection);
            connection.Execute("COMMIT");
            LastWriteChangedRows = raw.sqlite3_total_changes(connection.Handle!) != before;
            return result;
        }
        catch
        {
            // SQLite rolls back by itself after some errors; then there is nothing left to roll back.
            if (connection.Handle is { } handle && raw.sqlite3_get_autocommit(handle) == 0)
            {
                connection.Execute("ROLLBACK");
            }

            throw;
        }
    }, stop);

    /// <summary>Runs <paramref name="read"/> without the lock, on the file that the path names now.</summary>
    /// <exception cref="SpoolException">Input/output error, damaged.</exception>
    public T Read<T>(Func<SqliteConnection, T> read)
    {
        try
        {
            FollowReplacement();
            return read(Connection);
        }
        catch (SqliteException failure)
        {
            throw SqliteFailure.Translate(failure, Path);
        }
    }

    /// <summary>Runs <paramref name="work"/> under the lock without a transaction (a checkpoint).</summary>
    /// <inheritdoc cref="Write{T}"/>
    public T UnderLock<T>(Func<SqliteConnection, T> work, CancellationToken stop = default)
    {
        if (_lock is null)
        {
            throw new InvalidOperationException("this spool is open for reading");
        }

        _lock.Acquire(LockDeadline, stop);
        long since = Stopwatch.GetTimestamp();
        LastWriteChangedRows = false;
        uint? commits = null;
        bool isWatched = false;
        try
        {
            ReopenIfReplaced_NeedsLock();
            commits = RequireLog_NeedsLock();
            if (!_walIsChecked && ReferenceEquals(_synchronous, "FULL"))
            {
                WalCheck.RequireIfAlone_NeedsLock(Path);
                _walIsChecked = true;
            }

            OwnWatch?.BeginOwnCommit();
            isWatched = OwnWatch is not null;
            _open!.UpgradeIfOlder_NeedsLock();
            return work(Connection);
        }
        catch (SqliteException failure)
        {
            SpoolException translated = SqliteFailure.Translate(failure, Path);
            if (translated.Fault is not SpoolFault.InvalidMessage and not SpoolFault.IdConflict)
            {
                Close();
            }

            throw translated;
        }
        finally
        {
            if (isWatched)
            {
                uint? now = WalIndex.ReadAgain_NeedsLock(Path)?.Commits;
                OwnWatch!.EndOwnCommit(othersCommitted: commits is null || now != commits + (LastWriteChangedRows ? 1 : 0), othersCommittedBefore: commits != _commitsSeen);
                _commitsSeen = now;
            }

            if (OwnWatch is not null && LastWriteChangedRows)
            {
                _ = Libc.SetTimes(Libc.AtCurrentDirectory, SpoolPath.AgentFile(Path), 0, Libc.LinkItself);
            }

            _lock.Release(announce: LastWriteChangedRows && OwnWatch is null);
            LastHold = Stopwatch.GetElapsedTime(since);
        }
    }

    public void Dispose()
    {
        Close();
        _lock?.Dispose();
    }

    /// <summary>The path with links followed, where there is a spool.</summary>
    /// <exception cref="SpoolException">There is none; <see cref="SpoolFault.PermissionDenied"/> where there is none and others may write its folder.</exception>
    public static string RequireExisting(string path)
    {
        string resolved = SpoolPath.FollowLinks(path);
        if (!SpoolCreation.IsMissing(resolved))
        {
            return resolved;
        }

        if (FileIdentity.Find(System.IO.Path.GetDirectoryName(resolved) ?? "/") is { IsFolder: true })
        {
            SpoolOwnership.RequireFolder(resolved);
        }

        throw new SpoolException(SpoolFault.NotFound, resolved, $"there is no spool at {resolved}",
            $"'quickq-spool add' and the agent make it; name another with --spool or {SpoolPath.Variable}");
    }

    /// <summary>Opens it, and once more where a mode was wrong: SQLite opens for reading only what it may not write.</summary>
    private void OpenWithModes()
    {
        Open();
        if (SpoolOwnership.SetModes(Path))
        {
            Open();
        }
    }

    private void Open()
    {
        do
        {
            Close();
            QuarantinedFiles.UndoInterrupted(Path);
            _open = OpenDatabase.Open(Path);

            // A repair may be putting a fresh file in the place of this one, whose log has gone then: it looks older than it is. A writer sees it under the lock.
        }
        while (_lock is null && (QuarantinedFiles.IsExchanging(Path) || FileIdentity.Find(Path)?.Identity != _open.Identity));
    }

    /// <summary>Opens what the path names now, should the spool have been repaired since; true when it did. For reading: a writer looks under the lock.</summary>
    public bool FollowReplacement()
    {
        if (_lock is not null || _open is null || FileIdentity.Find(Path) is not { Size: > 0 } now || now.Identity == _open.Identity)
        {
            return false;
        }

        Open();
        Connection.Execute("PRAGMA query_only=ON");
        return true;
    }

    private void ReopenIfReplaced_NeedsLock()
    {
        FileStatus? now = FileIdentity.Find(Path);
        if ((_open is null || _open.MayBeRepaired(now)) && QuarantinedFiles.UndoInterrupted_NeedsLock(Path))
        {
            Close();
            now = FileIdentity.Find(Path);
        }

        if (now is null or { Size: 0 })
        {
            throw new SpoolException(SpoolFault.NotFound, Path, $"the spool {Path} is gone", "the next 'quickq-spool add' makes a new one");
        }

        if (_open is null || now.Value.Identity != _open.Identity)
        {
            Open();
        }
    }

    private uint? RequireLog_NeedsLock()
    {
        try
        {
            (LogBytes, uint? commits) = _open!.RequireLog_NeedsLock();
            return commits;
        }
        catch (SpoolException)
        {
            Close();
            throw;
        }
    }

    private void Close()
    {
        _open?.Dispose();
        _open = null;
    }
}
