using System.Diagnostics;
using Dapper;
using Microsoft.Data.Sqlite;

namespace Quickq.Testing;

/// <summary>A spool in a folder of its own. On dispose it must be sound (PRAGMA integrity_check), and is deleted.</summary>
public sealed class TempSpool : IDisposable
{
    private readonly TempFolder _folder;

    /// <summary>Names a spool in a folder of its own; below <paramref name="parent"/> where that is given.</summary>
    public TempSpool(string? parent = null)
    {
        _folder = new TempFolder("spool", parent);
    }

    /// <summary>Where the spool is; nothing is there until somebody opens it for writing.</summary>
    public string Path => _folder.File("spool.db");

    public string Folder => _folder.Path;

    /// <summary>Set to false by a test that damages its spool or puts another file in its place.</summary>
    public bool MustBeSound { get; set; } = true;

    /// <summary>The path of another file in the spool's folder.</summary>
    public string File(string name) => _folder.File(name);

    /// <summary>Rows of a query on the spool, read through a connection of its own.</summary>
    public IReadOnlyList<T> Query<T>(string sql, object? parameters = null)
    {
        using var connection = Open();
        return connection.Query<T>(sql, parameters).AsList();
    }

    /// <summary>The one value of a query on the spool.</summary>
    public T Value<T>(string sql, object? parameters = null) => Query<T>(sql, parameters).Single();

    /// <summary>Changes the spool as a foreign program would, through a connection of its own.</summary>
    public void Execute(string sql)
    {
        using var connection = Open(SqliteOpenMode.ReadWrite);
        connection.Execute(sql);
    }

    public void Dispose()
    {
        try
        {
            EndStartedService();
            if (MustBeSound && new FileInfo(Path) is { Exists: true, Length: > 0 })
            {
                var findings = Query<string>("PRAGMA integrity_check");
                if (findings is not ["ok"])
                {
                    throw new InvalidOperationException($"The spool is damaged: {string.Join("; ", findings)}");
                }
            }
        }
        finally
        {
            _folder.Dispose();
        }
    }

    /// <summary>A Python program starts a service that outlives it for a while.</summary>
    private void EndStartedService()
    {
        if (OwnServeProcess.FindListener(Path) is { } pid && pid != Environment.ProcessId)
        {
            using var service = Process.GetProcessById(pid);
            service.Kill();
            service.WaitForExit();
        }
    }

    private SqliteConnection Open(SqliteOpenMode mode = SqliteOpenMode.ReadOnly)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = Path,
            Mode = mode,
            Pooling = false,
        }.ConnectionString);
        connection.Open();
        return connection;
    }
}
