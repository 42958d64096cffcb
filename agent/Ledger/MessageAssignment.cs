using System.Globalization;
using Microsoft.Data.Sqlite;
using Quickq.Spool;
using Quickq.Spool.Schema;

namespace Quickq.Agent.Ledger;

/// <summary>Gives messages that no server got when they were accepted to all servers that they are for now, in ascending batches.</summary>
/// <remarks>
/// Goes through the unassigned messages once after servers came or take other exchanges. While it does, the tally <c>assigning</c> says from which message on they are still to be looked
/// at: feeds stay behind the first of those, so the order holds. A feed that is past the first of all goes back before it, once, in the transaction that begins: from then on no row is made
/// behind a feed. What is for nobody yet stays unassigned and holds no feed back; nor does what becomes unassigned meanwhile, since the same rule said so when it came.
/// </remarks>
internal static class MessageAssignment
{
    private const int BatchSize = 500;

    private const string Mark = "(SELECT value FROM tally WHERE name = 'assigning')";

    /// <summary>From now on the unassigned messages are looked through, from the first on.</summary>
    public static void Begin_NeedsTransaction(SqliteConnection connection)
    {
        if (connection.ReadNumberOrNull("SELECT min(message) FROM unassigned") is { } first)
        {
            connection.Execute("INSERT OR REPLACE INTO tally (name, value) VALUES ('assigning', $first)", ("$first", first));
            connection.Execute("UPDATE server SET rewind = $first WHERE rewind IS NULL OR rewind > $first", ("$first", first));
        }
    }

    /// <summary>How many unassigned messages there are, while they are to be looked through; else 0.</summary>
    public static long CountLeft(SqliteConnection connection) => connection.ReadNumber(
        $"SELECT CASE WHEN {Mark} IS NOT NULL THEN max(1, coalesce((SELECT CAST(value AS INTEGER) FROM tally WHERE name = 'unassigned'), 1)) ELSE 0 END");

    /// <summary>Looks at the next few. True while some are left.</summary>
    public static bool AssignSome_NeedsTransaction(SqliteConnection connection)
    {
        List<long> batch = connection.ReadRows(
            $"SELECT message FROM unassigned WHERE message >= {Mark} ORDER BY message LIMIT {BatchSize.ToString(CultureInfo.InvariantCulture)}", static row => row.GetInt64(0));
        if (batch.Count == 0)
        {
            connection.Execute("DELETE FROM tally WHERE name = 'assigning'");
            return false;
        }

        (long first, long last) = (batch[0], batch[^1]);

        // CROSS JOIN: SQLite is not to begin with all the messages, which may be millions.
        List<(long Message, long Server)> rows = connection.ReadRows(
            $"""
            SELECT u.message, s.id FROM unassigned AS u CROSS JOIN message AS m ON m.seq = u.message CROSS JOIN server AS s
            WHERE u.message BETWEEN $first AND $last AND {FanOut.IsFor} ORDER BY u.message, s.id
            """,
            static row => (row.GetInt64(0), row.GetInt64(1)), ("$first", first), ("$last", last));
        Insert_NeedsTransaction(connection, rows);

        // A row without its message would never be settled.
        List<long> gone = connection.ReadRows(
            "SELECT message FROM unassigned WHERE message BETWEEN $first AND $last AND NOT EXISTS (SELECT 1 FROM message WHERE seq = unassigned.message)",
            static row => row.GetInt64(0), ("$first", first), ("$last", last));
        Remove_NeedsTransaction(connection, [.. rows.Select(row => row.Message).Distinct(), .. gone]);
        connection.Execute("UPDATE tally SET value = $next WHERE name = 'assigning'", ("$next", last + 1));
        return true;
    }

    private static void Insert_NeedsTransaction(SqliteConnection connection, List<(long Message, long Server)> rows)
    {
        using SqliteCommand insert = connection.Prepare("INSERT OR IGNORE INTO delivery (message, server) VALUES ($message, $server)", "$message", "$server");
        foreach (IGrouping<long, long> server in rows.GroupBy(row => row.Server, row => row.Message))
        {
            insert.Set("$server", server.Key);
            int made = server.Sum(message => insert.Set("$message", message).ExecuteNonQuery());
            connection.Execute("UPDATE server SET pending = pending + $made WHERE id = $server", ("$made", made), ("$server", server.Key));
        }
    }

    private static void Remove_NeedsTransaction(SqliteConnection connection, List<long> messages)
    {
        using SqliteCommand delete = connection.Prepare("DELETE FROM unassigned WHERE message = $message", "$message");
        int removed = messages.Sum(message => delete.Set("$message", message).ExecuteNonQuery());
        connection.Execute("UPDATE tally SET value = value - $removed WHERE name = 'unassigned'", ("$removed", removed));
    }
}
