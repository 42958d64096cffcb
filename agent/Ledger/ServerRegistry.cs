using System.Globalization;
using Dapper;
using Microsoft.Data.Sqlite;
using Quickq.Agent.Settings;

namespace Quickq.Agent.Ledger;

/// <summary>Makes the spool know the servers and limits of the configuration, and gives messages that were accepted before to the servers.</summary>
/// <remarks>A server is known by its name: a changed host keeps its backlog, one that is no longer configured keeps its rows.</remarks>
internal static class ServerRegistry
{
    private const int AssignmentBatch = 500;

    /// <summary>Registers the servers by name and makes exactly these active. Returns their ids by name.</summary>
    /// <param name="fresh">Those whose forwarder starts now: what the spool says of their connection is from another life.</param>
    public static IReadOnlyDictionary<string, long> Register_NeedsTransaction(
        SqliteConnection connection, IReadOnlyList<ServerSettings> servers, IReadOnlyList<string> fresh, long now)
    {
        foreach (ServerSettings server in servers)
        {
            connection.Execute("INSERT INTO server (name, active) SELECT @Name, 0 WHERE NOT EXISTS (SELECT 1 FROM server WHERE name = @Name)", new { server.Name });
            connection.Execute("UPDATE server SET exchange = @Exchange WHERE name = @Name", new { server.Name, server.Exchange });
        }

        string[] names = [.. servers.Select(server => server.Name)];
        connection.Execute(
            "DELETE FROM suspension WHERE server IN (SELECT id FROM server WHERE name IN @fresh OR name NOT IN @names)", new { fresh, names });

        connection.Execute(
            """
            UPDATE server SET active = name IN @names,
                connection = CASE WHEN name IN @names THEN 'reconnecting' ELSE 'disconnected' END,
                since = CASE WHEN active <> (name IN @names) OR connection <> 'reconnecting' THEN @now ELSE since END,
                endpoint = NULL, rewind = NULL
            WHERE name IN @fresh OR name NOT IN @names
            """,
            new { names, fresh, now });
        return connection.Query<(string Name, long Id)>("SELECT name, id FROM server WHERE active = 1")
            .ToDictionary(row => row.Name, row => row.Id, StringComparer.Ordinal);
    }

    /// <summary>Writes the limits that every producer honours.</summary>
    public static void WriteLimits_NeedsTransaction(SqliteConnection connection, SpoolSettings settings)
    {
        WriteSetting_NeedsTransaction(connection, "maxSize", settings.MaxSizeBytes);
        WriteSetting_NeedsTransaction(connection, "maxMessageSize", settings.MaxMessageSizeBytes);
        WriteSetting_NeedsTransaction(connection, "minFreeDisk", settings.MinFreeDiskBytes);
    }

    /// <summary>How many messages wait to be assigned and can be: 0 while no server is active.</summary>
    public static long CountAssignable(SqliteConnection connection) =>
        connection.ExecuteScalar<long>("SELECT CASE WHEN EXISTS (SELECT 1 FROM server WHERE active = 1) THEN value ELSE 0 END FROM tally WHERE name = 'unassigned'");

    /// <summary>Gives the next few unassigned messages to all active servers, in ascending order. Returns how many are left.</summary>
    public static long AssignSome_NeedsTransaction(SqliteConnection connection)
    {
        long? last = connection.ExecuteScalar<long?>(
            $"SELECT max(message) FROM (SELECT message FROM unassigned ORDER BY message LIMIT {AssignmentBatch.ToString(CultureInfo.InvariantCulture)})");
        if (last is null)
        {
            return 0;
        }

        // A row without its message would never be settled. CROSS JOIN: SQLite is not to begin with all the messages, which may be millions.
        int rows = connection.Execute(
            """
            INSERT INTO delivery (message, server)
            SELECT u.message, s.id FROM unassigned AS u CROSS JOIN message AS m ON m.seq = u.message CROSS JOIN server AS s
            WHERE u.message <= @last AND s.active = 1 ORDER BY u.message
            """,
            new { last });
        connection.Execute("UPDATE server SET pending = pending + @rows / (SELECT count(*) FROM server WHERE active = 1) WHERE active = 1", new { rows });
        int removed = connection.Execute("DELETE FROM unassigned WHERE message <= @last", new { last });
        connection.Execute("UPDATE tally SET value = value - @removed WHERE name = 'unassigned'", new { removed });
        return connection.ExecuteScalar<long>("SELECT value FROM tally WHERE name = 'unassigned'");
    }

    /// <summary>Writes one of the spool's settings; null takes it away.</summary>
    public static void WriteSetting_NeedsTransaction(SqliteConnection connection, string name, long? value)
    {
        connection.Execute("DELETE FROM setting WHERE name = @name AND (@value IS NULL OR value <> @value)", new { name, value = value?.ToString(CultureInfo.InvariantCulture) });
        if (value is not null)
        {
            connection.Execute("INSERT OR IGNORE INTO setting (name, value) VALUES (@name, @value)", new { name, value = value.Value.ToString(CultureInfo.InvariantCulture) });
        }
    }
}
