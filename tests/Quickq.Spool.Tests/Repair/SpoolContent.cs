using Dapper;
using Microsoft.Data.Sqlite;

namespace Quickq.Spool.Tests.Repair;

/// <summary>Everything in a spool that a repair must keep, read through SQLite, one text for each row.</summary>
internal sealed record SpoolContent(IReadOnlyDictionary<long, string> Messages, IReadOnlyDictionary<(long Message, string Server), string> Deliveries)
{
    public static SpoolContent Read(string path)
    {
        using var connection = new SqliteConnection($"Data Source={path};Mode=ReadOnly;Pooling=False");
        connection.Open();
        return new SpoolContent(
            connection.Query<(long Seq, string Text)>(
                "SELECT seq, id || '|' || coalesce(exchange, '-') || '|' || routing_key || '|' || properties || '|' || coalesce(expires_at, '-') || '|' || created_at || '|' || hex(body) FROM message")
                .ToDictionary(row => row.Seq, row => row.Text),
            connection.Query<(long Message, string Server, string Text)>(
                """
                SELECT d.message, s.name, d.state || '|' || d.attempts || '|' || coalesce(d.next_attempt_at, '-') || '|' || coalesce(d.settled_at, '-') || '|' || coalesce(d.endpoint, '-')
                    || '|' || coalesce(d.reason, '-')
                FROM delivery AS d JOIN server AS s ON s.id = d.server
                """)
                .ToDictionary(row => (row.Message, row.Server), row => row.Text));
    }
}
