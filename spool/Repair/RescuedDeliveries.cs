using Microsoft.Data.Sqlite;
using Quickq.Spool.Schema;

namespace Quickq.Spool.Repair;

/// <summary>What became of the rescued messages at the servers: makes the rows of a fresh spool whole again, and counts what had to be made up.</summary>
internal sealed class RescuedDeliveries(SqliteConnection fresh)
{
    private const string Unsettled = "state IN ('pending', 'deferred', 'held', 'rejected')";

    private const string Stranded = "NOT EXISTS (SELECT 1 FROM delivery WHERE message = m.seq) AND NOT EXISTS (SELECT 1 FROM unassigned WHERE message = m.seq)";

    /// <summary>Servers that say that they have more unsettled rows than there are.</summary>
    private const string IncompleteServers =
        $"SELECT id FROM server WHERE active = 1 AND pending + deferred + held + rejected > (SELECT count(*) FROM delivery WHERE server = server.id AND {Unsettled})";

    /// <summary>Rows that were read.</summary>
    public long Saved { get; private set; }

    /// <summary>Rows that were not, and are pending now: sent, perhaps again.</summary>
    public long Reset { get; private set; }

    /// <summary>Whether rows are missing by what is left: messages that no server would get, counters that say more.</summary>
    public bool SomeAreMissing() =>
        fresh.ReadNumber($"SELECT EXISTS (SELECT 1 FROM message AS m WHERE {Stranded}) OR EXISTS ({IncompleteServers})") == 1;

    /// <param name="gaps">Between which rows others may have been.</param>
    /// <param name="edges">Rows beside which another may have been.</param>
    /// <param name="misplaced">Rows whose key was not to be trusted.</param>
    public void MakeConsistent(IReadOnlyList<(object[]? After, object[]? Before)> gaps, IReadOnlyList<object[]> edges, IReadOnlyList<(long Message, long Server)> misplaced)
    {
        gaps = [.. gaps, .. edges.SelectMany(edge => ((object[]? After, object[]? Before)[])[(Neighbour(edge, "<", "DESC"), edge), (edge, Neighbour(edge, ">", "ASC"))])];
        // Where a gap is known, it explains what a server counts too much.
        List<long> incomplete = gaps.Count + misplaced.Count > 0 ? [] : fresh.ReadRows(IncompleteServers, static row => row.GetInt64(0));
        fresh.Execute("DELETE FROM delivery WHERE message NOT IN (SELECT seq FROM message)");
        fresh.Execute("DELETE FROM unassigned WHERE message NOT IN (SELECT seq FROM message)");
        Saved = fresh.ReadNumber("SELECT count(*) FROM delivery");
        KeepUnknownServers();
        FillGaps([.. gaps, .. AroundStranded()]);
        foreach ((long message, long server) in misplaced)
        {
            Reset += fresh.Execute(
                "INSERT OR IGNORE INTO delivery (message, server) SELECT m.seq, s.id FROM message AS m, server AS s WHERE m.seq = $message AND s.id = $server",
                ("$message", message), ("$server", server));
        }

        // A page that is older than the rest leaves no gap. What a server counts and has not was between its first message and the last one; what has no row at all was everywhere.
        foreach (long server in incomplete)
        {
            Reset += fresh.Execute(
                $"""
                INSERT INTO delivery (message, server)
                SELECT m.seq, s.id FROM message AS m CROSS JOIN server AS s
                WHERE s.id = $server AND {FanOut.IsFor} AND m.seq > (SELECT min(message) FROM delivery WHERE server = $server) AND NOT EXISTS (SELECT 1 FROM delivery WHERE message = m.seq AND server = $server)
                    AND NOT EXISTS (SELECT 1 FROM unassigned WHERE message = m.seq)
                """,
                ("$server", server));
        }

        Reset += fresh.Execute($"INSERT INTO delivery (message, server) SELECT m.seq, s.id FROM message AS m CROSS JOIN server AS s WHERE {FanOut.IsFor} AND {Stranded}");
        fresh.Execute($"INSERT INTO unassigned (message) SELECT m.seq FROM message AS m WHERE {Stranded}");
    }

    /// <summary>Between which rows messages without any row are: on a page that is older than the rest their neighbours may lack some too.</summary>
    private IEnumerable<(object[]? After, object[]? Before)> AroundStranded()
    {
        long? next = 0;
        while (next is { } from && fresh.ReadNumberOrNull($"SELECT min(m.seq) FROM message AS m WHERE m.seq >= $from AND {Stranded}", ("$from", from)) is { } message)
        {
            object[] place = [message, 0L];
            object[]? before = Neighbour(place, ">", "ASC");
            yield return (Neighbour(place, "<", "DESC"), before);
            next = (long?)before?[0];
        }
    }

    private object[]? Neighbour(object[] row, string side, string order) => fresh.ReadRows(
        $"SELECT message, server FROM delivery WHERE (message, server) {side} ($message, $server) ORDER BY message {order}, server {order} LIMIT 1",
        static found => (object[])[found.GetInt64(0), found.GetInt64(1)], ("$message", row[0]), ("$server", row[1])).SingleOrDefault();

    private void FillGaps(IReadOnlyList<(object[]? After, object[]? Before)> gaps)
    {
        using SqliteCommand fill = fresh.Prepare(
            $"""
            INSERT INTO delivery (message, server)
            SELECT m.seq, s.id FROM message AS m CROSS JOIN server AS s
            WHERE {FanOut.IsFor} AND (m.seq, s.id) > ($afterMessage, $afterServer) AND (m.seq, s.id) < ($beforeMessage, $beforeServer)
                AND m.seq BETWEEN $afterMessage AND $beforeMessage
                AND NOT EXISTS (SELECT 1 FROM delivery WHERE message = m.seq AND server = s.id) AND NOT EXISTS (SELECT 1 FROM unassigned WHERE message = m.seq)
            """,
            "$afterMessage", "$afterServer", "$beforeMessage", "$beforeServer");
        foreach ((object[]? after, object[]? before) in gaps)
        {
            Reset += fill.Set("$afterMessage", after?[0] ?? 0L).Set("$afterServer", after?[1] ?? 0L)
                .Set("$beforeMessage", before?[0] ?? long.MaxValue).Set("$beforeServer", before?[1] ?? long.MaxValue).ExecuteNonQuery();
        }
    }

    /// <summary>Rows of servers whose own row is lost stay under a name that says so; where no server is left at all, the agent gives what is unsettled to its servers.</summary>
    private void KeepUnknownServers()
    {
        bool noneLeft = fresh.ReadNumber("SELECT count(*) FROM server") == 0;
        fresh.Execute(
            """
            INSERT INTO server (id, name, active)
            SELECT DISTINCT d.server, 'lost-' || d.server || coalesce((SELECT '-again' FROM server WHERE name = 'lost-' || d.server), ''), 0
            FROM delivery AS d WHERE d.server NOT IN (SELECT id FROM server)
            """);
        if (noneLeft)
        {
            fresh.Execute($"INSERT OR IGNORE INTO unassigned (message) SELECT message FROM delivery WHERE {Unsettled}");
            Reset += fresh.Execute($"DELETE FROM delivery WHERE {Unsettled}");
        }
    }
}
