using Microsoft.Data.Sqlite;

namespace Quickq.Spool.Inspect;

/// <summary>Finds messages newest first, a page of keys at a time, so that no snapshot is held while the caller does something else.</summary>
internal sealed class MessageQuery(SpoolFile file)
{
    private const int PageSize = 500;

    /// <summary>So many messages are looked through by one statement: it holds its snapshot for a fraction of a second, however few of them fit.</summary>
    private const int Range = 20_000;

    /// <summary>True for the states that have an index of their own.</summary>
    public static bool HasIndex(string state) => state is DeliveryState.Pending or DeliveryState.Deferred or DeliveryState.Held or DeliveryState.Rejected;

    /// <summary>
    /// Whether row <c>d</c>, of message <c>m</c> and server <c>s</c>, waits for its exchange or its routing key: it counts as pending, is shown as deferred, and found as both.
    /// </summary>
    public const string IsSuspended =
        """
        (d.state = 'pending' AND s.active = 1 AND (EXISTS (SELECT 1 FROM suspension AS x WHERE x.server = d.server AND x.exchange = coalesce(m.exchange, s.exchange))
            OR EXISTS (SELECT 1 FROM key_suspension AS x WHERE x.server = d.server AND x.exchange = coalesce(m.exchange, s.exchange) AND x.routing_key = m.routing_key)))
        """;

    /// <summary>Rows <c>d</c>, of message <c>m</c> and server <c>s</c>, in this state, and at this server; in any and at any where it is null.</summary>
    public static string RowCondition(SqliteCommand command, string? state, string? server)
    {
        command.Parameters.AddWithValue("$state", (object?)state ?? DBNull.Value);
        command.Parameters.AddWithValue("$server", (object?)server ?? DBNull.Value);
        return $"($server IS NULL OR s.name = $server) AND ($state IS NULL OR d.state = $state OR ($state = 'deferred' AND {IsSuspended}))";
    }

    /// <summary>The sequence numbers of the messages that the filter lets through, newest first.</summary>
    public IEnumerable<long> Find(MessageFilter filter)
    {
        TopicPattern? topic = filter.TopicPattern is null ? null : new TopicPattern(filter.TopicPattern);
        bool indexed = StatesOf(filter) is { Count: > 0 } states && states.All(HasIndex)
            && !(filter.State is DeliveryState.Deferred && file.Read(connection => connection.ReadNumber("SELECT EXISTS (SELECT 1 FROM suspension) OR EXISTS (SELECT 1 FROM key_suspension)")) != 0);
        long upTo = file.Read(connection => connection.ReadNumber("SELECT max(seq) FROM message"));
        int left = filter.Limit;
        while (left > 0 && upTo > 0)
        {
            long last = upTo;
            (List<(long Seq, string RoutingKey)> page, upTo) = file.Read(connection =>
                indexed ? ReadIndexed(connection, filter, last) : ReadRange(connection, filter, last, Math.Max(1, last - Range + 1)));
            foreach ((long seq, string routingKey) in page)
            {
                if (topic?.Matches(routingKey) ?? true)
                {
                    yield return seq;
                    if (--left == 0)
                    {
                        yield break;
                    }
                }
            }
        }
    }

    private static IReadOnlyList<string> StatesOf(MessageFilter filter) => filter.States ?? (filter.State is { } one ? [one] : []);

    /// <summary>Some of the messages with numbers in this range, the newest of them, and up to which number others may be.</summary>
    private static (List<(long Seq, string RoutingKey)> Page, long Next) ReadRange(SqliteConnection connection, MessageFilter filter, long upTo, long from)
    {
        using SqliteCommand command = connection.CreateCommand();
        string condition = filter.Server is null && filter.State is null && filter.States is null ? "1"
            : $"EXISTS (SELECT 1 FROM delivery AS d JOIN server AS s ON s.id = d.server WHERE d.message = m.seq AND {RowCondition(command, filter.State, filter.Server)})";
        command.Parameters.AddWithValue("$from", from);
        command.Parameters.AddWithValue("$upTo", upTo);
        List<(long Seq, string RoutingKey)> page = ReadPage(command, filter, $"m.seq BETWEEN $from AND $upTo AND {condition}");

        // Numbers may be far apart: one that a hand chose has more empty ranges below it than anybody can look through.
        return (page, page.Count < PageSize ? connection.ReadNumber("SELECT max(seq) FROM message WHERE seq < $from", ("$from", from)) : page[^1].Seq - 1);
    }

    /// <summary>The states with an index of their own start from it: among millions delivered, three rejected are found at once.</summary>
    private static (List<(long Seq, string RoutingKey)> Page, long Next) ReadIndexed(SqliteConnection connection, MessageFilter filter, long upTo)
    {
        SortedSet<long> newest = NewestInStates(connection, filter, upTo);
        using SqliteCommand command = connection.CreateCommand();
        List<(long, string)> page = ReadPage(command, filter, $"m.seq IN ({string.Join(',', newest)})");
        return (page, newest.Count < PageSize ? 0 : newest.Min - 1);
    }

    private static SortedSet<long> NewestInStates(SqliteConnection connection, MessageFilter filter, long upTo)
    {
        var newest = new SortedSet<long>();
        foreach (string state in StatesOf(filter))
        {
            using SqliteCommand select = connection.Prepare(
                $"SELECT message FROM delivery WHERE server = $server AND state = '{state}' AND message BETWEEN $from AND $upTo ORDER BY message DESC LIMIT {PageSize}",
                "$server", "$from", "$upTo");
            select.Set("$upTo", upTo);
            foreach (long server in ServerIds(connection, filter.Server))
            {
                // Of a thousand servers few add to a page that is full already.
                using SqliteDataReader row = select.Set("$server", server).Set("$from", newest.Count < PageSize ? 1 : newest.Min).ExecuteReader();
                while (row.Read())
                {
                    newest.Add(row.GetInt64(0));
                }

                while (newest.Count > PageSize)
                {
                    newest.Remove(newest.Min);
                }
            }
        }

        return newest;
    }

    private static List<(long Seq, string RoutingKey)> ReadPage(SqliteCommand command, MessageFilter filter, string condition)
    {
        command.CommandText =
            $"""
            SELECT m.seq, m.routing_key FROM message AS m
            WHERE {condition} AND ($since IS NULL OR m.created_at >= $since) AND ($until IS NULL OR m.created_at < $until)
            ORDER BY m.seq DESC LIMIT {PageSize}
            """;
        command.Parameters.AddWithValue("$since", filter.Since is { } since ? SpoolTime.ToMicroseconds(since) : DBNull.Value);
        command.Parameters.AddWithValue("$until", filter.Until is { } until ? SpoolTime.ToMicroseconds(until) : DBNull.Value);
        var page = new List<(long, string)>();
        using SqliteDataReader reader = command.ExecuteReader();
        while (reader.Read())
        {
            page.Add((reader.GetInt64(0), reader.TextOrNull(1) ?? ""));
        }

        return page;
    }

    private static List<long> ServerIds(SqliteConnection connection, string? name)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "SELECT id FROM server WHERE $name IS NULL OR name = $name";
        command.Parameters.AddWithValue("$name", (object?)name ?? DBNull.Value);
        var ids = new List<long>();
        using SqliteDataReader reader = command.ExecuteReader();
        while (reader.Read())
        {
            ids.Add(reader.GetInt64(0));
        }

        return ids;
    }
}
