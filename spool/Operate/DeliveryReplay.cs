using Microsoft.Data.Sqlite;
using Quickq.Spool.Schema;

namespace Quickq.Spool.Operate;

/// <summary>
/// Makes delivered messages that are still retained due again at one server, and gives the server those that are for it and that it never got because it came later.
/// </summary>
/// <remarks>
/// Goes through the messages in the order of acceptance, a page of <c>delivery</c> at a time (no bodies are read), and writes in steps of its own. A message whose time
/// to live is over is left: it would only expire again.
/// </remarks>
internal sealed class DeliveryReplay
{
    private const int PageSize = 1000;

    private readonly long _server;
    private readonly long _since;
    private readonly long _until;
    private readonly long _now;

    public DeliveryReplay(long server, DateTimeOffset? since, DateTimeOffset? until, long now)
    {
        _server = server;
        _since = since is { } from ? SpoolTime.ToMicroseconds(from) : long.MinValue;
        _until = until is { } to ? SpoolTime.ToMicroseconds(to) : long.MaxValue;
        _now = now;
    }

    /// <summary>What to do with the next messages behind <paramref name="after"/>; the position for the next page, or null when this was the last one.</summary>
    public (IReadOnlyList<Candidate> Candidates, long? Next) ReadPage(SqliteConnection connection, long after)
    {
        // Rows of delivery are in the order of (message, server): grouping needs no sorting, and the page ends after so many messages whatever is found in it.
        using SqliteCommand select = connection.CreateCommand();
        select.CommandText =
            $"""
            SELECT p.message, CASE
                WHEN p.own = 'delivered' AND p.settled_at >= $since AND p.settled_at < $until THEN
                    (SELECT CASE WHEN m.expires_at <= $now THEN 'expired' ELSE 'again' END FROM message AS m WHERE m.seq = p.message)
                WHEN p.own IS NULL AND p.wanted THEN
                    (SELECT CASE WHEN m.expires_at <= $now THEN 'expired' ELSE 'missing' END FROM message AS m, server AS s
                     WHERE m.seq = p.message AND m.created_at >= $since AND m.created_at < $until AND s.id = $server AND {FanOut.IsMeantFor})
                END
            FROM (SELECT message, max(CASE WHEN server = $server THEN state END) AS own, max(CASE WHEN server = $server THEN settled_at END) AS settled_at,
                         max(state NOT IN ('cancelled', 'expired')) AS wanted
                  FROM delivery WHERE message > $after GROUP BY message ORDER BY message LIMIT {PageSize}) AS p
            """;
        AddParameters(select);
        select.Parameters.AddWithValue("$after", after);
        var candidates = new List<Candidate>();
        long last = after;
        int groups = 0;
        using SqliteDataReader row = select.ExecuteReader();
        while (row.Read())
        {
            last = row.GetInt64(0);
            groups++;
            if (row.TextOrNull(1) is { } fate)
            {
                candidates.Add(new Candidate(last, fate));
            }
        }

        return (candidates, groups < PageSize || last <= after ? null : last);
    }

    /// <summary>Makes these due, those of them that still are as they were read, and changes the counters and the rewind mark with them.</summary>
    public (int Again, int Created) Write_NeedsTransaction(SqliteConnection connection, IEnumerable<Candidate> candidates)
    {
        using SqliteCommand again = connection.CreateCommand();
        again.CommandText =
            """
            UPDATE delivery SET state = 'pending', attempts = 0, settled_at = NULL, endpoint = NULL, reason = NULL
            WHERE message = $message AND server = $server AND state = 'delivered' AND settled_at >= $since AND settled_at < $until
            """;
        using SqliteCommand create = connection.CreateCommand();
        create.CommandText =
            """
            INSERT INTO delivery (message, server) SELECT seq, $server FROM message
            WHERE seq = $message AND NOT EXISTS (SELECT 1 FROM delivery WHERE message = $message AND server = $server)
            """;
        using SqliteCommand remember = connection.CreateCommand();
        remember.CommandText =
            """
            INSERT OR REPLACE INTO replayed (message, server, first_settled_at, count)
            SELECT message, server, coalesce((SELECT first_settled_at FROM replayed WHERE message = $message AND server = $server), settled_at),
                coalesce((SELECT count FROM replayed WHERE message = $message AND server = $server), 0) + 1
            FROM delivery WHERE message = $message AND server = $server AND state = 'delivered' AND settled_at >= $since AND settled_at < $until
            """;
        int changed = 0, created = 0;
        long? first = null;
        foreach (Candidate candidate in candidates)
        {
            if (!candidate.IsMissing)
            {
                remember.Parameters.Clear();
                AddParameters(remember);
                remember.Parameters.AddWithValue("$message", candidate.Message);
                remember.ExecuteNonQuery();
            }

            SqliteCommand command = candidate.IsMissing ? create : again;
            command.Parameters.Clear();
            AddParameters(command);
            command.Parameters.AddWithValue("$message", candidate.Message);
            int rows = command.ExecuteNonQuery();
            changed += candidate.IsMissing ? 0 : rows;
            created += candidate.IsMissing ? rows : 0;
            first ??= rows > 0 ? candidate.Message : null;
        }

        // The trigger that moves the rewind mark sees updates only.
        using SqliteCommand count = connection.CreateCommand();
        count.CommandText =
            """
            UPDATE server SET delivered = delivered - $again, pending = pending + $again + $created,
                rewind = CASE WHEN $first IS NULL OR rewind < $first THEN rewind ELSE $first END
            WHERE id = $server
            """;
        count.Parameters.AddWithValue("$again", changed);
        count.Parameters.AddWithValue("$created", created);
        count.Parameters.AddWithValue("$first", (object?)first ?? DBNull.Value);
        count.Parameters.AddWithValue("$server", _server);
        count.ExecuteNonQuery();
        return (changed, created);
    }

    private void AddParameters(SqliteCommand command)
    {
        command.Parameters.AddWithValue("$server", _server);
        command.Parameters.AddWithValue("$since", _since);
        command.Parameters.AddWithValue("$until", _until);
        command.Parameters.AddWithValue("$now", _now);
    }

    /// <summary>One message that may be replayed.</summary>
    public readonly record struct Candidate(long Message, string Fate)
    {
        /// <summary>The server has no row for it.</summary>
        public bool IsMissing => Fate is "missing";

        /// <summary>Its time to live is over.</summary>
        public bool IsExpired => Fate is "expired";
    }
}
