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
    private readonly HashSet<Command> _commands = [];
    private readonly string _path;
    private sqlite3? _handle;

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
