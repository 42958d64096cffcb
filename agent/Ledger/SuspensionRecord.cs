using Microsoft.Data.Sqlite;
using Quickq.Spool;

namespace Quickq.Agent.Ledger;

/// <summary>That a server refuses one exchange just now, for <c>status</c>; its rows are not rewritten. Without a reason: that it takes it again.</summary>
internal sealed record SuspensionRecord(long Server, string Exchange, string? Reason, long At, long NextProbeAt)
{
    /// <summary>Writes it, and the reason as the server's last error.</summary>
    public void Write_NeedsTransaction(SqliteConnection connection)
    {
        if (Reason is null)
        {
            connection.Execute("DELETE FROM suspension WHERE server = $server AND exchange = $exchange", ("$server", Server), ("$exchange", Exchange));
            ServerErrorRecord.NoteRecovery_NeedsTransaction(connection, Server, At);
            return;
        }

        connection.Execute(
            """
            INSERT INTO suspension (server, exchange, reason, since, next_probe_at) VALUES ($server, $exchange, $reason, $at, $next)
            ON CONFLICT (server, exchange) DO UPDATE SET reason = $reason, next_probe_at = $next
            """,
            ("$server", Server),
            ("$exchange", Exchange),
            ("$reason", Reason),
            ("$at", At),
            ("$next", NextProbeAt));
        new ServerErrorRecord(Server, $"exchange '{Exchange}': {Reason}", At).Write_NeedsTransaction(connection);
    }

    /// <summary>What an operator wants to be probed at once; each wish is taken once.</summary>
    public static (IReadOnlyList<string> Exchanges, IReadOnlyList<(string Exchange, string RoutingKey)> Keys) TakeProbeWishes_NeedsTransaction(SqliteConnection connection, long server, long now)
    {
        List<string> exchanges = connection.ReadRows(
            "SELECT exchange FROM suspension WHERE server = $server AND next_probe_at = 0", static row => row.GetString(0), ("$server", server));
        List<(string Exchange, string RoutingKey)> keys = connection.ReadRows(
            "SELECT exchange, routing_key FROM key_suspension WHERE server = $server AND next_probe_at = 0", static row => (row.GetString(0), row.GetString(1)), ("$server", server));
        connection.Execute("UPDATE suspension SET next_probe_at = $now WHERE server = $server AND next_probe_at = 0", ("$server", server), ("$now", now));
        connection.Execute("UPDATE key_suspension SET next_probe_at = $now WHERE server = $server AND next_probe_at = 0", ("$server", server), ("$now", now));
        return (exchanges, keys);
    }
}

/// <summary>The same for a routing key in trouble; what its server's last error is, others decide. The oldest go where there are more than a server has.</summary>
internal sealed record KeySuspensionRecord(long Server, string Exchange, string RoutingKey, string? Reason, long At, long NextProbeAt)
{
    private const int Most = 1_000;

    /// <summary>Writes it.</summary>
    public void Write_NeedsTransaction(SqliteConnection connection)
    {
        if (Reason is null)
        {
            connection.Execute(
                "DELETE FROM key_suspension WHERE server = $server AND exchange = $exchange AND routing_key = $key", ("$server", Server), ("$exchange", Exchange), ("$key", RoutingKey));
            ServerErrorRecord.NoteRecovery_NeedsTransaction(connection, Server, At);
            return;
        }

        connection.Execute(
            """
            INSERT INTO key_suspension (server, exchange, routing_key, reason, since, next_probe_at) VALUES ($server, $exchange, $key, $reason, $at, $next)
            ON CONFLICT (server, exchange, routing_key) DO UPDATE SET reason = $reason, next_probe_at = $next
            """,
            ("$server", Server), ("$exchange", Exchange), ("$key", RoutingKey), ("$reason", Reason), ("$at", At), ("$next", NextProbeAt));
        if (connection.ReadNumber("SELECT count(*) FROM key_suspension WHERE server = $server", ("$server", Server)) > Most)
        {
            connection.Execute(
                """
                DELETE FROM key_suspension WHERE server = $server AND (exchange, routing_key) =
                    (SELECT exchange, routing_key FROM key_suspension WHERE server = $server ORDER BY next_probe_at LIMIT 1)
                """,
                ("$server", Server));
        }
    }
}

/// <summary>The last error of a server, for <c>status</c>.</summary>
internal sealed record ServerErrorRecord(long Server, string Error, long At)
{
    public void Write_NeedsTransaction(SqliteConnection connection) => connection.Execute(
        "UPDATE server SET last_error = $error, last_error_at = $at, recovered_at = NULL WHERE id = $server", ("$error", Error), ("$at", At), ("$server", Server));

    /// <summary>Something is over: where nothing else is wrong with the server, its last error is over too.</summary>
    public static void NoteRecovery_NeedsTransaction(SqliteConnection connection, long server, long at) => connection.Execute(
        """
        UPDATE server SET recovered_at = coalesce(recovered_at, $at)
        WHERE id = $server AND connection = 'connected' AND last_error IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM suspension WHERE server = $server) AND NOT EXISTS (SELECT 1 FROM key_suspension WHERE server = $server)
        """,
        ("$server", server),
        ("$at", at));
}
