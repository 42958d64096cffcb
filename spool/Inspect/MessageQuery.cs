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

    /// <summary>Whether row <c>d</c>, of message <c>m</c> and server <c>s</c>, waits for its exchange: it counts as pending, is shown as deferred, and found as both.</summary>
    public const string IsSuspended =
        "(d.state = 'pending' AND s.active = 1 AND EXISTS (SELECT 1 FROM suspension AS x WHERE x.server = d.server AND x.exchange = coalesce(m.exchange, s.exchange)))";

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
            && !(filter.State is DeliveryState.Deferred && file.Read(connection => connection.ReadNumber("SELECT EXISTS (SELECT 1 FROM suspension)")) != 0);
        long before = file.Read(connection => connection.ReadNumber("SELECT max(seq) FROM message")) + 1;
        int left = filter.Limit;
        while (left > 0 && before > 0)
        {
            long from = indexed ? 0 : Math.Max(0, before - Range);
            long end = before;
            List<(long Seq, string RoutingKey)> page = file.Read(connection => ReadPage(connection, filter, indexed, end, from));
            foreach ((long seq, string routingKey) in page)
            {
                before = seq;
                if (topic?.Matches(routingKey) ?? true)
                {
                    yield return seq;
                    if (--left == 0)
                    {
                        yield break;
                    }
                }
            }

            if (page.Count < PageSize)
            {
                before = from;
            }
        }
    }

    private static IReadOnlyList<string> StatesOf(MessageFilter filter) => filter.States ?? (filter.State is { } one ? [one] : []);

    private static List<(long Seq, string RoutingKey)> ReadPage(SqliteConnection connection, MessageFilter filter, bool indexed, long before, long from)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText =
            $"""
            SELECT m.seq, m.routing_key FROM message AS m
            WHERE m.seq < $before AND m.seq >= $from AND {StateCondition(connection, filter, indexed, command)}
              AND ($since IS NULL OR m.created_at >= $since) AND ($until IS NULL OR m.created_at < $until)
            ORDER BY m.seq DESC LIMIT {PageSize}
            """;
        command.Parameters.AddWithValue("$before", before);
        command.Parameters.AddWithValue("$from", from);
        command.Parameters.AddWithValue("$since", filter.Since is { } since ? SpoolTime.ToMicroseconds(since) : DBNull.Value);
        command.Parameters.AddWithValue("$until", filter.Until is { } until ? SpoolTime.ToMicroseconds(until) : DBNull.Value);
        var page = new List<(long, string)>();
        using SqliteDataReader reader = command.ExecuteReader();
        while (reader.Read())
        {
            page.Add((reader.GetInt64(0), reader.GetString(1)));
        }

        return page;
    }

    /// <summary>The states with an index of their own start from it: among millions delivered, three rejected are found at once.</summary>
    private static string StateCondition(SqliteConnection connection, MessageFilter filter, bool indexed, SqliteCommand command)
    {
        if (filter.Server is null && filter.State is null && filter.States is null)
        {
            return "1";
        }

        if (indexed)
        {
            IEnumerable<string> perServer = ServerIds(connection, filter.Server).SelectMany(server => StatesOf(filter).Select(state =>
                $"SELECT message FROM (SELECT message FROM delivery WHERE server = {server} AND state = '{state}' AND message < $before ORDER BY message DESC LIMIT {PageSize})"));
            string union = string.Join(" UNION ", perServer);
            return union.Length == 0 ? "0" : $"m.seq IN ({union})";
        }

        return $"EXISTS (SELECT 1 FROM delivery AS d JOIN server AS s ON s.id = d.server WHERE d.message = m.seq AND {RowCondition(command, filter.State, filter.Server)})";
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
