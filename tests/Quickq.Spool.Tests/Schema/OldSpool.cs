using Microsoft.Data.Sqlite;
using Quickq.Spool.Schema;
using Quickq.Testing;

namespace Quickq.Spool.Tests.Schema;

/// <summary>Makes spools of format 1, and adds to them as programs of 0.1.0 do.</summary>
internal static class OldSpool
{
    /// <summary>The insert of 0.1.0.</summary>
    public const string Insert =
        """
        INSERT INTO message (id, exchange, routing_key, properties, expires_at, created_at, body)
        VALUES ($id, $exchange, $routingKey, $properties, NULL, 1, $body)
        """;

    /// <summary>What format 1 has, row by row, in words that do not depend on the format.</summary>
    private const string Content =
        """
        SELECT 'message' || '|' || seq || '|' || id || '|' || quote(exchange) || '|' || routing_key || '|' || properties || '|' || quote(expires_at) || '|' || created_at || '|' || hex(body) FROM message
        UNION ALL SELECT 'delivery|' || message || '|' || server || '|' || state || '|' || attempts || '|' || quote(next_attempt_at) || '|' || quote(settled_at) || '|' || quote(endpoint) || '|' || quote(reason) FROM delivery
        UNION ALL SELECT 'server|' || id || '|' || name || '|' || active || '|' || paused || '|' || exchange || '|' || pending || '|' || deferred || '|' || held || '|' || rejected || '|' || delivered || '|' || expired || '|' || cancelled || '|' || quote(rewind) FROM server
        UNION ALL SELECT 'suspension|' || server || '|' || exchange || '|' || reason || '|' || since || '|' || next_probe_at FROM suspension
        UNION ALL SELECT 'unassigned|' || message FROM unassigned
        UNION ALL SELECT 'setting|' || name || '|' || value FROM setting WHERE name <> 'format'
        UNION ALL SELECT 'tally|' || name || '|' || value FROM tally WHERE name IN ('removed', 'unassigned')
        UNION ALL SELECT 'sequence|' || seq FROM sqlite_sequence
        """;

    public static void Create(TempSpool spool)
    {
        SpoolCreation.WriteDraft(spool.Path, format: 1);
    }

    /// <summary>Two servers with messages in every state, more pending ones, and some that no server got.</summary>
    public static void Fill(TempSpool spool, int pending)
    {
        using SqliteConnection connection = SpoolConnection.Connect(spool.Path);
        connection.Execute("BEGIN IMMEDIATE");
        Add(connection, 3);
        connection.Execute("INSERT INTO server (name, exchange, paused, last_error) VALUES ('mq1', 'satellite', 0, 'refused'), ('mq2', 'himawari', 1, NULL)");
        Add(connection, 20);
        foreach ((int message, string state) in ((int, string)[])[(4, "delivered"), (5, "delivered"), (6, "deferred"), (7, "held"), (8, "rejected"), (9, "expired"), (10, "cancelled")])
        {
            connection.Execute($"UPDATE delivery SET state = '{state}', attempts = 2, settled_at = 5, next_attempt_at = 7, endpoint = '10.0.0.1:5672', reason = 'why' WHERE message = {message} AND server = 1");
            connection.Execute($"UPDATE server SET pending = pending - 1, {state} = {state} + 1 WHERE id = 1");
        }

        connection.Execute("INSERT INTO suspension (server, exchange, reason, since, next_probe_at) VALUES (2, 'nowhere', 'NOT_FOUND', 3, 4)");
        connection.Execute("UPDATE setting SET value = '123456789' WHERE name = 'maxSize'; UPDATE tally SET value = 0 WHERE name = 'removed'");
        Add(connection, pending);
        connection.Execute("COMMIT");
    }

    public static IReadOnlyList<string> ContentOf(TempSpool spool) => spool.Query<string>(Content);

    public static void Add(SqliteConnection connection, int count)
    {
        using SqliteCommand insert = connection.Prepare(Insert, "$id", "$exchange", "$routingKey", "$properties", "$body");
        for (int i = 0; i < count; i++)
        {
            insert.Set("$id", Guid.CreateVersion7().ToString("D")).Set("$exchange", i % 2 == 0 ? null : "satellite").Set("$routingKey", "geo.goes.g16").Set("$properties", "{}").Set("$body", (byte[])[1, 2, 3]).ExecuteNonQuery();
        }
    }
}
