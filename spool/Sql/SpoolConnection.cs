using System.Data;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Quickq.Spool;

/// <summary>A connection to an existing file, opened by SQLite's own call instead of the provider's pool.</summary>
/// <remarks>
/// The provider's pool is made with the first connection string, used or not, and starts a timer with a thread of its own: a seventh of what an
/// <c>add</c> takes, and on a busy machine the program also waits until that thread has run. Here there is no connection string, so there is no pool.
/// </remarks>
internal sealed class SpoolConnection : SqliteConnection
{
    private const int NoCheckpointOnClose = 1006, Defensive = 1010, EnableViews = 1015;

    /// <summary>A row: the largest body that RabbitMQ takes (512 MiB), and its headers.</summary>
    private const int LongestValueBytes = 513 * 1024 * 1024;

    /// <summary>Statements that are kept prepared; more than this program ever repeats.</summary>
    private const int MostKept = 64;

    /// <summary>A kept statement holds its parameters: nothing large.</summary>
    private const int LongestKeptValue = 4096;

    private readonly HashSet<Command> _commands = [];
    private readonly Dictionary<string, SqliteCommand> _kept = new(StringComparer.Ordinal);
    private readonly string _path;
    private sqlite3? _handle;

    static SpoolConnection() => SystemSqlite.BindIfAsked();

    /// <summary>Opens the file for reading and writing; it is never made.</summary>
    /// <exception cref="SqliteException">SQLite cannot open it.</exception>
    public SpoolConnection(string path)
    {
        _path = path;
        Open();
    }

    public override sqlite3? Handle => _handle;

    public override ConnectionState State => _handle is null ? ConnectionState.Closed : ConnectionState.Open;

    /// <summary>Always empty: the path is given to the constructor.</summary>
    [AllowNull]
    public override string ConnectionString
    {
        get => "";
        set
        {
            // The constructor of the base class sets it; that of a pool would follow.
        }
    }

    public override string DataSource => _path;

    public override int DefaultTimeout { get; set; } = 30;

    public override void Open()
    {
        if (_handle is not null)
        {
            return;
        }

        int result = raw.sqlite3_open_v2(_path, out sqlite3 handle, raw.SQLITE_OPEN_READWRITE, vfs: null);
        try
        {
            SqliteException.ThrowExceptionForRC(result, handle);
            _handle = handle;
        }
        finally
        {
            if (_handle is null)
            {
                handle.Dispose();
            }
        }
    }

    /// <summary>Closes it, its statements first: SQLite would keep the file open for them.</summary>
    public override void Close()
    {
        _kept.Clear();
        foreach (Command command in _commands.ToArray())
        {
            command.Dispose();
        }

        _handle?.Dispose();
        _handle = null;
    }

    public override SqliteCommand CreateCommand()
    {
        var command = new Command(this) { Connection = this, CommandTimeout = DefaultTimeout, Transaction = Transaction };
        _commands.Add(command);
        return command;
    }

    /// <summary>The statement that was kept for this text, with the parameters of its last run; null when there is none, or it is just running. Parsing costs more than most runs do.</summary>
    public SqliteCommand? Take(string sql) => _kept.Remove(sql, out SqliteCommand? kept) ? kept : null;

    /// <summary>Takes back a statement that has run. A pragma is not kept: some take effect when they are prepared.</summary>
    public void Keep(SqliteCommand statement)
    {
        bool isRepeated = statement.CommandText.StartsWith("SELECT", StringComparison.Ordinal) || statement.CommandText.StartsWith("INSERT", StringComparison.Ordinal)
            || statement.CommandText.StartsWith("UPDATE", StringComparison.Ordinal) || statement.CommandText.StartsWith("DELETE", StringComparison.Ordinal)
            || statement.CommandText is "BEGIN" or "BEGIN IMMEDIATE" or "COMMIT" or "ROLLBACK";
        if (_handle is null || !isRepeated || HoldsMuch(statement))
        {
            statement.Dispose();
            return;
        }

        if (_kept.Count == MostKept)
        {
            // Texts made of numbers, one run each. What is repeated comes again.
            foreach (SqliteCommand kept in _kept.Values)
            {
                kept.Dispose();
            }

            _kept.Clear();
        }

        if (!_kept.TryAdd(statement.CommandText, statement))
        {
            statement.Dispose();
        }
    }

    private static bool HoldsMuch(SqliteCommand statement)
    {
        foreach (SqliteParameter parameter in statement.Parameters)
        {
            if (parameter.Value is byte[] or string { Length: > LongestKeptValue })
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>A connection with the settings of every Quickq program, to a file that is known to exist.</summary>
    public static SqliteConnection Connect(string path)
    {
        SystemSqlite.RequireFound(path);
        var connection = new SpoolConnection(path);
        try
        {
            // busy_timeout only matters against programs that do not know the lock. What an older SQLite does not know, it ignores.
            connection.Execute(
                "PRAGMA busy_timeout=5000; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY");
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>What a connection to a finished spool has besides: no checkpoint at close, and no use of the file's content against its reader.</summary>
    public static void Protect(SqliteConnection connection, string path)
    {
        _ = raw.sqlite3_db_config(connection.Handle!, Defensive, 1, out _);
        _ = raw.sqlite3_db_config(connection.Handle!, EnableViews, 0, out _);
        _ = raw.sqlite3_limit(connection.Handle!, raw.SQLITE_LIMIT_LENGTH, LongestValueBytes);
        if (raw.sqlite3_db_config(connection.Handle!, NoCheckpointOnClose, 1, out _) != raw.SQLITE_OK)
        {
            throw new SpoolException(SpoolFault.InputOutput, path, "this SQLite cannot switch off the checkpoint at close");
        }
    }

    private sealed class Command(SpoolConnection owner) : SqliteCommand
    {
        protected override void Dispose(bool disposing)
        {
            base.Dispose(disposing);
            if (disposing)
            {
                owner._commands.Remove(this);
            }
        }
    }
}
