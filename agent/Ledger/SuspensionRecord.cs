using Dapper;
using Microsoft.Data.Sqlite;

namespace Quickq.Agent.Ledger;

/// <summary>That a server refuses one exchange just now, for <c>status</c>; its rows are not rewritten. Without a reason: that it takes it again.</summary>
internal sealed record SuspensionRecord(long Server, string Exchange, string? Reason, long At, long NextProbeAt)
{
    /// <summary>Writes it, and the reason as the server's last error.</summary>
    public void Write_NeedsTransaction(SqliteConnection connection)
    {
        if (Reason is null)
        {
            connection.Execute("DELETE FROM suspension WHERE server = @Server AND exchange = @Exchange", this);
            return;
        }

        connection.Execute(
            """
            INSERT INTO suspension (server, exchange, reason, since, next_probe_at) VALUES (@Server, @Exchange, @Reason, @At, @NextProbeAt)
            ON CONFLICT (server, exchange) DO UPDATE SET reason = @Reason, next_probe_at = @NextProbeAt
            """,
            this);
        connection.Execute("UPDATE server SET last_error = @error, last_error_at = @At WHERE id = @Server", new { error = $"exchange '{Exchange}': {Reason}", At, Server });
    }
}
