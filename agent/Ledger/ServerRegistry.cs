using System.Globalization;
using Microsoft.Data.Sqlite;
using Quickq.Agent.Settings;
using Quickq.Spool;

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
            connection.Execute("INSERT INTO server (name, active) SELECT $name, 0 WHERE NOT EXISTS (SELECT 1 FROM server WHERE name = $name)", ("$name", server.Name));
            connection.Execute("UPDATE server SET exchange = $exchange WHERE name = $name", ("$name", server.Name), ("$exchange", server.Exchange));
        }

        string all = servers.Select(server => server.Name).ToJsonList(), restarted = fresh.ToJsonList();
        connection.Execute(
            """
            DELETE FROM suspension WHERE server IN (
                SELECT id FROM server WHERE name IN (SELECT value FROM json_each($restarted)) OR name NOT IN (SELECT value FROM json_each($all)))
            """,
            ("$restarted", restarted),
            ("$all", all));

        connection.Execute(
            """
            UPDATE server SET active = name IN (SELECT value FROM json_each($all)),
                connection = CASE WHEN name IN (SELECT value FROM json_each($all)) THEN 'reconnecting' ELSE 'disconnected' END,
                since = CASE WHEN active <> (name IN (SELECT value FROM json_each($all))) OR connection <> 'reconnecting' THEN $now ELSE since END,
                endpoint = NULL, rewind = NULL
            WHERE name IN (SELECT value FROM json_each($restarted)) OR name NOT IN (SELECT value FROM json_each($all))
            """,
            ("$all", all),
            ("$restarted", restarted),
            ("$now", now));
        return connection.ReadRows("SELECT name, id FROM server WHERE active = 1", row => (Name: row.GetString(0), Id: row.GetInt64(1)))
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
        connection.ReadNumber(
            """
            SELECT CASE WHEN EXISTS (SELECT 1 FROM server WHERE active = 1) AND EXISTS (SELECT 1 FROM unassigned)
                THEN max(1, coalesce((SELECT CAST(value AS INTEGER) FROM tally WHERE name = 'unassigned'), 1)) ELSE 0 END
            """);

    /// <summary>Gives the next few unassigned messages to all active servers, in ascending order. True while some are left.</summary>
    public static bool AssignSome_NeedsTransaction(SqliteConnection connection)
    {
        long? last = connection.ReadNumberOrNull(
            $"SELECT max(message) FROM (SELECT message FROM unassigned ORDER BY message LIMIT {AssignmentBatch.ToString(CultureInfo.InvariantCulture)})");
        if (last is null)
        {
            return false;
        }

        // A row without its message would never be settled. CROSS JOIN: SQLite is not to begin with all the messages, which may be millions.
        int rows = connection.Execute(
            """
            INSERT OR IGNORE INTO delivery (message, server)
            SELECT u.message, s.id FROM unassigned AS u CROSS JOIN message AS m ON m.seq = u.message CROSS JOIN server AS s
            WHERE u.message <= $last AND s.active = 1 ORDER BY u.message
            """,
            ("$last", last));
        connection.Execute("UPDATE server SET pending = pending + $rows / (SELECT count(*) FROM server WHERE active = 1) WHERE active = 1", ("$rows", rows));
        int removed = connection.Execute("DELETE FROM unassigned WHERE message <= $last", ("$last", last));
        connection.Execute("UPDATE tally SET value = value - $removed WHERE name = 'unassigned'", ("$removed", removed));

        // Not by the figure, which a foreign program may have changed: whoever waits is given to the servers.
        return connection.ReadNumber("SELECT EXISTS (SELECT 1 FROM unassigned)") != 0;
    }

    /// <summary>Writes one of the spool's settings; null takes it away.</summary>
    public static void WriteSetting_NeedsTransaction(SqliteConnection connection, string name, long? value)
    {
        string? text = value?.ToString(CultureInfo.InvariantCulture);
        connection.Execute("DELETE FROM setting WHERE name = $name AND ($value IS NULL OR value <> $value)", ("$name", name), ("$value", text));
        if (text is not null)
        {
            connection.Execute("INSERT OR IGNORE INTO setting (name, value) VALUES ($name, $value)", ("$name", name), ("$value", text));
        }
    }
}
