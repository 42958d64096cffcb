using System.Diagnostics;
using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Quickq.Spool.Upkeep;

/// <summary>Removes messages that every server is done with (delivered, cancelled or expired everywhere), the oldest first.</summary>
/// <remarks>
/// Never one that some server still waits for or has parked, and never one that no server was given yet. What is removed is forgotten with its id and its history.
/// Finding needs no lock and reads a page at a time. Removing holds the lock, so it stops when its time is up: producers wait meanwhile.
/// </remarks>
internal static class SettledMessageReaper
{
    /// <summary>Most messages that one step removes.</summary>
    public const int StepSize = 500;

    /// <summary>A step begins no further messages after this time; its commit comes on top.</summary>
    public static readonly TimeSpan StepTime = TimeSpan.FromMilliseconds(8);

    /// <summary>A step takes no further messages when those it has are together as large as this.</summary>
    internal const long StepBytes = 8 * 1024 * 1024;

    /// <summary>Most pages that one step gives back to the disk.</summary>
    internal const int VacuumStepPages = 2048;

    private const int PageSize = 1000;
    private const int ChunkSize = 25;
    private const int VacuumPages = 32;
    private const int BlockSize = 10_000;
    private const int BlocksAtOnce = 50;

    private const string IsSettled = "d.state IN ('delivered', 'cancelled', 'expired')";

    /// <summary>The rows of the next messages, by the table's own key.</summary>
    internal const string SelectPage =
        $"""
        SELECT p.message, p.settled, coalesce(p.settled_at, m.created_at), length(m.body), m.created_at
        FROM (SELECT d.message, min({IsSettled}) AS settled, max(d.settled_at) AS settled_at
              FROM delivery AS d WHERE d.message > $after GROUP BY d.message ORDER BY d.message LIMIT $count) AS p
        CROSS JOIN message AS m ON m.seq = p.message
        ORDER BY p.message
        """;

    /// <summary>Where a block of undelivered messages ends, by the index of what is due.</summary>
    internal const string SelectBlock =
        "SELECT message FROM delivery WHERE server = $server AND state = 'pending' AND message > $after ORDER BY message LIMIT 1 OFFSET $offset";

    /// <summary>What can go among the next messages behind <paramref name="after"/>; needs no lock. One page, so that no snapshot is held for long.</summary>
    /// <param name="connection">An open spool.</param>
    /// <param name="after">Where to go on; 0 begins with the oldest message.</param>
    /// <param name="settledBefore">Only messages that the last server was done with before this time.</param>
    /// <param name="stopWhenYoung">
    /// True: ends where messages were accepted after <paramref name="settledBefore"/>, since nothing there can have been settled before it (but by a clock that was set).
    /// </param>
    public static ReapPage FindSome(SqliteConnection connection, long after, long settledBefore, bool stopWhenYoung = false)
    {
        long start = SkipUndelivered(connection, after);
        using SqliteCommand select = connection.Prepare(SelectPage, "$after", "$count");
        var found = new List<long>();
        long bytes = 0, last = start;
        int seen = 0;
        long? oldestLeft = null;
        bool young = true;
        using SqliteDataReader row = select.Set("$after", start).Set("$count", PageSize).ExecuteReader();
        while (row.Read())
        {
            seen++;
            last = row.GetInt64(0);
            young &= row.GetInt64(4) >= settledBefore;
            if (row.GetInt64(1) == 0)
            {
                continue;
            }

            long settledAt = row.GetInt64(2);
            if (settledAt >= settledBefore)
            {
                oldestLeft = Math.Min(oldestLeft ?? settledAt, settledAt);
                continue;
            }

            found.Add(last);
            bytes += row.GetInt64(3);
            if (found.Count >= StepSize || bytes >= StepBytes)
            {
                return new ReapPage(found, last, IsLast: false, oldestLeft);
            }
        }

        return new ReapPage(found, last, IsLast: seen < PageSize || (stopWhenYoung && young), oldestLeft);
    }

    /// <summary>Removes those of <paramref name="messages"/> that are settled still (an operator may have replayed one), until the time is up.</summary>
    public static ReapStep Remove_NeedsTransaction(SqliteConnection connection, IReadOnlyList<long> messages)
    {
        int removed = 0, done = 0;
        long began = Stopwatch.GetTimestamp();
        foreach (long[] chunk in messages.Chunk(ChunkSize))
        {
            string settled = ReadSettled(connection, string.Join(',', chunk));
            connection.Execute($"DELETE FROM delivery WHERE message IN ({settled})");
            removed += connection.Execute($"DELETE FROM message WHERE seq IN ({settled})");
            done += chunk.Length;
            if (Stopwatch.GetElapsedTime(began) >= StepTime)
            {
                break;
            }
        }

        if (removed > 0)
        {
            if (connection.ReadNumber("SELECT EXISTS (SELECT 1 FROM replayed)") != 0)
            {
                connection.Execute(
                    "DELETE FROM replayed WHERE message BETWEEN $first AND $last AND NOT EXISTS (SELECT 1 FROM message WHERE seq = replayed.message)",
                    ("$first", messages.Min()), ("$last", messages.Max()));
            }

            connection.Execute(string.Create(CultureInfo.InvariantCulture, $"UPDATE tally SET value = value + {removed} WHERE name = 'removed'"));
        }

        return new ReapStep(removed, done);
    }

    /// <summary>Gives free pages at the end of the file back to the disk, a step's worth; returns how many are left. The commit takes as long again: it writes every page that moved.</summary>
    public static long GiveBackSomePages_NeedsTransaction(SqliteConnection connection)
    {
        long began = Stopwatch.GetTimestamp();
        long left = connection.ReadNumber("PRAGMA freelist_count"), first = left;
        while (left > 0 && first - left < VacuumStepPages && Stopwatch.GetElapsedTime(began) < StepTime / 2)
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

            long now = connection.ReadNumber("PRAGMA freelist_count");
            if (now >= left)
            {
                return 0; // no further page can be given back
            }

            left = now;
        }

        return left;
    }

    /// <summary>
    /// Passes over messages that some server still waits for, ten thousand at a time by the index of what is due: millions behind a dead server cost
    /// milliseconds, where reading their rows would cost half a minute.
    /// </summary>
    private static long SkipUndelivered(SqliteConnection connection, long after)
    {
        using SqliteCommand select = connection.Prepare(SelectBlock, "$server", "$after", "$offset");
        select.Set("$offset", BlockSize - 1);
        List<long> servers = ReadBackloggedServers(connection);
        int blocks = 0;
        bool any = true;
        while (any && blocks < BlocksAtOnce)
        {
            any = false;
            foreach (long server in servers)
            {
                // So many undelivered ones in so many numbers: none between them is settled.
                while (blocks < BlocksAtOnce && select.Set("$server", server).Set("$after", after).ReadNumber() == after + BlockSize)
                {
                    after += BlockSize;
                    blocks++;
                    any = true;
                }
            }
        }

        return after;
    }

    private static List<long> ReadBackloggedServers(SqliteConnection connection) =>
        ReadNumbers(connection, string.Create(CultureInfo.InvariantCulture, $"SELECT id FROM server WHERE pending >= {BlockSize}"));

    private static string ReadSettled(SqliteConnection connection, string numbers) =>
        string.Join(',', ReadNumbers(connection, $"SELECT d.message FROM delivery AS d WHERE d.message IN ({numbers}) GROUP BY d.message HAVING min({IsSettled})"));

    private static List<long> ReadNumbers(SqliteConnection connection, string sql)
    {
        using SqliteCommand select = connection.CreateCommand();
        select.CommandText = sql;
        var numbers = new List<long>();
        using SqliteDataReader row = select.ExecuteReader();
        while (row.Read())
        {
            numbers.Add(row.GetInt64(0));
        }

        return numbers;
    }
}

/// <summary>Messages that can be removed.</summary>
/// <param name="Messages">Their sequence numbers.</param>
/// <param name="Next">Where the next page begins.</param>
/// <param name="IsLast">True when there is nothing to look for behind that.</param>
/// <param name="OldestLeft">Of the settled ones that are too young to go: when the first of them was settled.</param>
internal sealed record ReapPage(IReadOnlyList<long> Messages, long Next, bool IsLast, long? OldestLeft = null);

/// <summary>What a step did: how many it removed, and how many of those it was given it came to (the rest is for the next step).</summary>
internal readonly record struct ReapStep(int Removed, int Done);
