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
}

/// <summary>The last error of a server, for <c>status</c>.</summary>
internal sealed record ServerErrorRecord(long Server, string Error, long At)
{
    public void Write_NeedsTransaction(SqliteConnection connection) => connection.Execute(
        "UPDATE server SET last_error = $error, last_error_at = $at WHERE id = $server", ("$error", Error), ("$at", At), ("$server", Server));
}
