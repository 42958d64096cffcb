using Microsoft.Data.Sqlite;

namespace Quickq.Spool.Upkeep;

/// <summary>Removes messages that every server is done with (delivered, cancelled or expired everywhere), the oldest first.</summary>
/// <remarks>
/// Never one that some server still waits for or has parked, and never one that no server was given yet. What is removed is forgotten with its id and its history.
/// Steps are bounded in messages and in bytes: freeing the pages of a large body is work too, and producers wait for the lock meanwhile.
/// </remarks>
internal static class SettledMessageReaper
{
    /// <summary>Most messages that one transaction removes.</summary>
    public const int StepSize = 200;

    private const long StepBytes = 8 * 1024 * 1024;
    private const int PageSize = 1000;
    private const int VacuumPages = 256;

    private const string IsSettled = "d.state IN ('delivered', 'cancelled', 'expired')";

    /// <summary>What can go among the next messages behind <paramref name="after"/>; needs no lock. One page, so that no snapshot is held for long.</summary>
    /// <param name="connection">An open spool.</param>
    /// <param name="after">Where to go on; 0 begins with the oldest message.</param>
    /// <param name="settledBefore">Only messages that the last server was done with before this time.</param>
    /// <param name="maxCount">At most so many; the rest of the page is for the next call.</param>
    public static ReapPage FindSome(SqliteConnection connection, long after, long settledBefore, int maxCount = StepSize)
    {
        using SqliteCommand select = connection.CreateCommand();
        select.CommandText =
            $"""
            SELECT p.message, CASE WHEN p.settled AND coalesce(p.settled_at, (SELECT created_at FROM message WHERE seq = p.message)) < $before
                THEN (SELECT length(body) FROM message WHERE seq = p.message) END
            FROM (SELECT d.message, min({IsSettled}) AS settled, max(d.settled_at) AS settled_at
                  FROM delivery AS d WHERE d.message > $after GROUP BY d.message ORDER BY d.message LIMIT {PageSize}) AS p
            """;
        select.Parameters.AddWithValue("$before", settledBefore);
        select.Parameters.AddWithValue("$after", after);
        var found = new List<long>();
        long bytes = 0, last = after;
        int seen = 0;
        using SqliteDataReader row = select.ExecuteReader();
        while (row.Read())
        {
            seen++;
            last = row.GetInt64(0);
            if (row.IsDBNull(1))
            {
                continue;
            }

            found.Add(last);
            bytes += row.GetInt64(1);
            if (found.Count >= maxCount || bytes >= StepBytes)
            {
                return new ReapPage(found, last, IsLast: false);
            }
        }

        return new ReapPage(found, last, IsLast: seen < PageSize);
    }

    /// <summary>Removes those of <paramref name="messages"/> that are settled still (an operator may have replayed one); returns how many.</summary>
    public static int Remove_NeedsTransaction(SqliteConnection connection, IReadOnlyList<long> messages)
    {
        if (messages.Count == 0)
        {
            return 0;
        }

        string settled = string.Join(',', messages.Where(message => connection.ReadNumber(
            $"SELECT count(*) > 0 AND min({IsSettled}) FROM delivery AS d WHERE d.message = {message}") == 1));
        connection.Execute($"DELETE FROM delivery WHERE message IN ({settled})");
        int removed = connection.Execute($"DELETE FROM message WHERE seq IN ({settled})");
        connection.Execute($"UPDATE tally SET value = value + {removed} WHERE name = 'removed'");
        return removed;
    }

    /// <summary>Gives a few free pages at the end of the file back to the disk; returns how many are left.</summary>
    public static long GiveBackSomePages_NeedsLock(SqliteConnection connection)
    {
        // The statement does one page each time it is stepped.
        using SqliteCommand vacuum = connection.CreateCommand();
        vacuum.CommandText = $"PRAGMA incremental_vacuum({VacuumPages})";
        using (SqliteDataReader row = vacuum.ExecuteReader())
        {
            while (row.Read())
            {
                // Nothing to see.
            }
        }

        return connection.ReadNumber("PRAGMA freelist_count");
    }
}

/// <summary>Messages that can be removed.</summary>
/// <param name="Messages">Their sequence numbers.</param>
/// <param name="Next">Where the next page begins.</param>
/// <param name="IsLast">True when no message is left behind that.</param>
internal sealed record ReapPage(IReadOnlyList<long> Messages, long Next, bool IsLast);
