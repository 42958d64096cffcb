using System.Globalization;
using Microsoft.Data.Sqlite;
using Quickq.Agent.Settings;
using Quickq.Spool;

namespace Quickq.Agent.Ledger;

/// <summary>Makes the spool know the servers and limits of the configuration.</summary>
/// <remarks>A server is known by its name: a changed host keeps its backlog, one that is no longer configured keeps its rows.</remarks>
internal static class ServerRegistry
{
    /// <summary>Registers the servers by name and makes exactly these active. Returns their ids by name.</summary>
    /// <param name="fresh">Those whose forwarder starts now: what the spool says of their connection is from another life.</param>
    public static IReadOnlyDictionary<string, long> Register_NeedsTransaction(
        SqliteConnection connection, IReadOnlyList<ServerSettings> servers, IReadOnlyList<string> fresh, long now)
    {
        bool mayTakeMore = false;
        foreach (ServerSettings server in servers)
        {
            connection.Execute("INSERT INTO server (name, active) SELECT $name, 0 WHERE NOT EXISTS (SELECT 1 FROM server WHERE name = $name)", ("$name", server.Name));
            connection.Execute(
                "UPDATE server SET exchange = $exchange, hosts = $hosts WHERE name = $name",
                ("$name", server.Name), ("$exchange", server.Exchange), ("$hosts", server.Hosts.Select(host => host.ToString()).ToJsonList()));
            mayTakeMore |= WriteExchanges_NeedsTransaction(connection, server);
            mayTakeMore |= connection.ReadNumber("SELECT active FROM server WHERE name = $name", ("$name", server.Name)) == 0;
        }

        if (mayTakeMore)
        {
            MessageAssignment.Begin_NeedsTransaction(connection);
        }

        string all = servers.Select(server => server.Name).ToJsonList(), restarted = fresh.ToJsonList();
        foreach (string table in (ReadOnlySpan<string>)["suspension", "key_suspension"])
        {
            connection.Execute(
                $"""
                DELETE FROM {table} WHERE server IN (
                    SELECT id FROM server WHERE name IN (SELECT value FROM json_each($restarted)) OR name NOT IN (SELECT value FROM json_each($all)))
                """,
                ("$restarted", restarted),
                ("$all", all));
        }

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

    /// <summary>Writes which exchanges the server takes; true where that changed. Rows that exist stay.</summary>
    private static bool WriteExchanges_NeedsTransaction(SqliteConnection connection, ServerSettings server)
    {
        string exchanges = server.Exchanges.ToJsonList();
        int changed = connection.Execute(
            "DELETE FROM server_exchange WHERE server = (SELECT id FROM server WHERE name = $name) AND exchange NOT IN (SELECT value FROM json_each($exchanges))",
            ("$name", server.Name), ("$exchanges", exchanges));
        changed += connection.Execute(
            "INSERT OR IGNORE INTO server_exchange (server, exchange) SELECT s.id, e.value FROM server AS s, json_each($exchanges) AS e WHERE s.name = $name",
            ("$name", server.Name), ("$exchanges", exchanges));
        return changed > 0;
    }

    /// <summary>Writes the limits that every producer honours.</summary>
    public static void WriteLimits_NeedsTransaction(SqliteConnection connection, SpoolSettings settings)
    {
        WriteSetting_NeedsTransaction(connection, "maxSize", settings.MaxSizeBytes);
        WriteSetting_NeedsTransaction(connection, "maxMessageSize", settings.MaxMessageSizeBytes);
        WriteSetting_NeedsTransaction(connection, "minFreeDisk", settings.MinFreeDiskBytes);
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
