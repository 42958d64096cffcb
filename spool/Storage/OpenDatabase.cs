using Microsoft.Data.Sqlite;
using Quickq.Spool.Files;
using Quickq.Spool.Schema;
using SQLitePCL;

namespace Quickq.Spool;

/// <summary>One connection to the file that a path named when it was opened, and what must stay true of that file.</summary>
internal sealed class OpenDatabase : IDisposable
{
    private readonly string _path;
    private readonly SqliteCommand _schemaVersion;
    private readonly FileIdentity? _log;
    private string _sync = "FULL";
    private long _knownSchema = -1;

    private OpenDatabase(string path, SqliteConnection connection, FileIdentity identity)
    {
        (_path, Connection, Identity) = (path, connection, identity);
        SpoolSchema.RequireSpool(connection, path);
        SpoolConnection.Protect(connection, path);

        // Reading made the WAL where there was none. It stays as long as anything is connected.
        _log = FileIdentity.Find(SpoolPath.WriteAheadLog(path))?.Identity;
        _schemaVersion = connection.Prepare("PRAGMA schema_version");
        RequireKnownSchema();
        IsOlder = SpoolSchema.FormatOf(connection) is >= 1 and < SpoolSchema.Format;
    }

    public SqliteConnection Connection { get; }

    /// <summary>Whether the spool was of an older format when it was opened, and this program has not raised it since.</summary>
    public bool IsOlder { get; private set; }

    /// <summary>The file that the path named.</summary>
    public FileIdentity Identity { get; }

    /// <summary>Opens an existing spool.</summary>
    /// <exception cref="SpoolException">Not a spool, damaged, input/output error.</exception>
    public static OpenDatabase Open(string path)
    {
        // Identity before opening: should the path change in between, the comparison under the lock sees it and opens again.
        FileIdentity identity = FileIdentity.Find(path)?.Identity ?? default;
        SqliteConnection? connection = null;
        WalIndex.Enter(path);
        try
        {
            connection = SpoolConnection.Connect(path);
            return new OpenDatabase(path, connection, identity);
        }
        catch (Exception failure)
        {
            connection?.Dispose();
            WalIndex.Leave(path);
            if (failure is SqliteException refused)
            {
                throw SqliteFailure.Translate(refused, path);
            }

            throw;
        }
    }

    /// <summary>Sets <c>PRAGMA synchronous</c> where it is another.</summary>
    public void SetSync(string level)
    {
        if (!ReferenceEquals(_sync, level))
        {
            Connection.Execute("PRAGMA synchronous=" + level);
            _sync = level;
        }
    }

    /// <summary>Raises an older format to this program's in one synced transaction: whole or not at all.</summary>
    public void UpgradeIfOlder_NeedsLock()
    {
        if (!IsOlder)
        {
            return;
        }

        SetSync("FULL");
        Connection.Execute("BEGIN IMMEDIATE");
        try
        {
            RequireKnownSchema();
            SpoolSchema.Upgrade_NeedsTransaction(Connection);
            Connection.Execute("COMMIT");
            IsOlder = false;
        }
        catch
        {
            if (Connection.Handle is { } handle && raw.sqlite3_get_autocommit(handle) == 0)
            {
                Connection.Execute("ROLLBACK");
            }

            throw;
        }
    }

    /// <summary>Compares the schema with Quickq's, whenever it is another one than that which was compared before.</summary>
    /// <exception cref="SpoolException"><see cref="SpoolFault.Damaged"/>: it has an object that is not ours, or lacks one.</exception>
    public void RequireKnownSchema()
    {
        long version = _schemaVersion.ReadNumber();
        if (version != _knownSchema)
        {
            KnownObjects.Require(Connection, _path);
            _knownSchema = version;
        }
    }

    /// <summary>Whether a repair, done or interrupted, may have been here: it gives the file a second name before anything else.</summary>
    /// <param name="now">What the path names now.</param>
    public bool MayBeRepaired(FileStatus? now) => now?.Identity != Identity || now.Value.Links != 1;

    /// <summary>Refuses to write where no other program would look. Returns the size of the WAL, and how many commits there were, where that is known.</summary>
    /// <exception cref="SpoolException"><see cref="SpoolFault.InputOutput"/>: the WAL was removed, replaced or emptied since this was opened. Open it again.</exception>
    public (long Bytes, uint? Commits) RequireLog_NeedsLock()
    {
        string log = SpoolPath.WriteAheadLog(_path);
        FileStatus? now = FileIdentity.Find(log);
        WalState? state = WalIndex.Read_NeedsLock(_path);
        bool isReplaced = _log is { } known && now?.Identity != known;
        if (isReplaced || (now?.Size ?? 0) < (state?.UsedBytes ?? 0))
        {
            throw new SpoolException(SpoolFault.InputOutput, _path,
                $"the WAL {log} was {(isReplaced ? "removed" : "emptied")} while the spool was in use: messages accepted since the last checkpoint are lost; nothing was stored",
                "stop all programs that use the spool, then start them again (systemctl restart quickq-agent quickq-spool)");
        }

        return (now?.Size ?? 0, state?.Commits);
    }

    public void Dispose()
    {
        Connection.Dispose();
        WalIndex.Leave(_path);
    }
}
