using Microsoft.Data.Sqlite;
using Quickq.Spool;

namespace Quickq.Agent.Ledger;

/// <summary>The state of the connection to one server, as <c>status</c> shows it.</summary>
/// <param name="Server">The server's id in the spool.</param>
/// <param name="Connection"><c>connected</c>, <c>reconnecting</c>, <c>disconnected</c>, <c>blocked</c> or <c>paused</c>.</param>
/// <param name="Endpoint">ip:port, while there is a connection.</param>
/// <param name="At">Microseconds since the epoch.</param>
/// <param name="Error">What went wrong; null leaves the last error as it is.</param>
internal sealed record ConnectionRecord(long Server, string Connection, string? Endpoint, long At, string? Error)
{
    /// <summary>Writes it; <c>since</c> moves only when the state changes. Connected again, the server has recovered from its last error; an hour later that is forgotten.</summary>
    public void Write_NeedsTransaction(SqliteConnection connection) => connection.Execute(
        """
        UPDATE server SET since = CASE WHEN connection <> $connection OR since IS NULL THEN $at ELSE since END,
            connection = $connection, endpoint = $endpoint,
            last_error = coalesce($error, CASE WHEN recovered_at < $at - 3600000000 THEN NULL ELSE last_error END),
            last_error_at = CASE WHEN $error IS NULL THEN last_error_at ELSE $at END,
            recovered_at = CASE WHEN $error IS NOT NULL OR last_error IS NULL THEN NULL WHEN $connection = 'connected' THEN coalesce(recovered_at, $at) ELSE recovered_at END
        WHERE id = $server
        """,
        ("$server", Server),
        ("$connection", Connection),
        ("$endpoint", Endpoint),
        ("$at", At),
        ("$error", Error));
}
