using Microsoft.Data.Sqlite;
using Quickq.Spool.Inspect;
using Quickq.Spool.Files;
using Quickq.Spool.Repair;
using Quickq.Spool.Schema;
using Quickq.Spool.Storage;

namespace Quickq.Spool;

/// <summary>Looks into a spool without changing it; works while the agent runs and while it does not. Belongs to one thread at a time.</summary>
public sealed class SpoolReader : IDisposable
{
    // In microseconds.
    private const long RateIsFreshFor = 10_000_000, ErrorIsShownFor = 3_600_000_000;

    private readonly SpoolFile _file;
    private readonly TimeProvider _clock;

    private SpoolReader(SpoolFile file, TimeProvider clock)
    {
        _file = file;
        _clock = clock;
    }

    /// <summary>Opens the spool at <paramref name="path"/>.</summary>
    /// <exception cref="SpoolException">There is none (an empty file counts as none), it is not a spool, no permission.</exception>
    public static SpoolReader Open(string path) => new(SpoolFile.OpenUpgraded(path), TimeProvider.System);

    /// <summary>The whole spool at a glance. Costs the same whatever the backlog.</summary>
    public SpoolOverview ReadOverview() => _file.Read(connection =>
    {
        int? agent = AgentLock.FindHolder(_file.Path);
        long live = connection.ReadNumber("PRAGMA page_size")
            * (connection.ReadNumber("PRAGMA page_count") - connection.ReadNumber("PRAGMA freelist_count"));
        long accepted = connection.RequireNumber("SELECT seq FROM sqlite_sequence WHERE name = 'message'");
        long removed = connection.RequireNumber("SELECT value FROM tally WHERE name = 'removed'");
        IReadOnlyList<ServerOverview> servers = ReadServers(connection, agent is not null);
        return new SpoolOverview(
            _file.Path, accepted - removed, live, connection.RequireNumber("SELECT value FROM tally WHERE name = 'unassigned'"),
            SQLitePCL.raw.sqlite3_libversion().utf8_to_string(), agent, servers, ReadRepair(connection, _file.Path))
        {
            AgentHasRun = servers.Count > 0 || AgentLock.WasEverTaken(_file.Path),
            Refused = connection.RequireNumber("SELECT value FROM tally WHERE name = 'refused'"),
            RefusedAt = connection.RequireNumber("SELECT value FROM tally WHERE name = 'refusedAt'") is var refusedAt and > 0 ? SpoolTime.FromMicroseconds(refusedAt) : null,
            Agent = ReadAgent(connection),
        };
    });

    /// <summary>The names of the active servers that the agent is connected to: the part of <see cref="ReadOverview"/> that those want who wait for each message.</summary>
    public IReadOnlyList<string> ReadConnected() => _file.Read<IReadOnlyList<string>>(connection => AgentLock.FindHolder(_file.Path) is null
        ? []
        : connection.ReadRows("SELECT name FROM server WHERE active = 1 AND connection = 'connected'", row => row.TextOrNull(0) ?? ""));

    /// <summary>The ids that an argument of a user means: the exact one, else those that begin with it (at most two: then it is ambiguous).</summary>
    public IReadOnlyList<string> ResolveIds(string idOrPrefix) => _file.Read<IReadOnlyList<string>>(connection =>
    {
        // GLOB would need escaping; the range does the same and uses the index. '~' sorts behind every character of an id.
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "SELECT id FROM message WHERE id >= $prefix AND id < $prefix || '~' ORDER BY id LIMIT 2";
        command.Parameters.AddWithValue("$prefix", idOrPrefix);
        List<string> found = ReadTexts(command);
        return found.Count > 0 && string.Equals(found[0], idOrPrefix, StringComparison.Ordinal) ? [found[0]] : found;
    });

    /// <summary>What became of one message, or null when it is not in the spool.</summary>
    public MessageStatus? ReadStatus(string id) => _file.Read(connection => FindSeq(connection, id) is { } seq ? ReadStatus(connection, seq) : null);

    /// <summary>One message whole, or null when it is not in the spool.</summary>
    public StoredMessage? ReadMessage(string id) => _file.Read(connection =>
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "SELECT seq, properties, body FROM message WHERE id = $id";
        command.Parameters.AddWithValue("$id", id);
        using SqliteDataReader reader = command.ExecuteReader();
        if (!reader.Read())
        {
            return null;
        }

        string stored = reader.TextOrNull(1) ?? "";
        bool isReadable = MessageProperties.TryFromJson(stored, out MessageProperties properties, out string? fault);
        return new StoredMessage(ReadStatus(connection, reader.GetInt64(0))!, properties, reader.Bytes(2)) { UnreadableProperties = isReadable ? null : stored, PropertiesFault = fault };
    });

    /// <summary>Messages newest first. Pages by key: between two messages no snapshot is held, however long the caller takes.</summary>
    public IEnumerable<MessageStatus> List(MessageFilter filter)
    {
        foreach (long seq in new MessageQuery(_file).Find(filter))
        {
            // Null when it was removed since its page was read.
            if (_file.Read(connection => ReadStatus(connection, seq)) is { } status)
            {
                yield return status;
            }
        }
    }

    /// <summary>Messages whole, as a producer would hand them over, oldest first. Between two messages no snapshot is held.</summary>
    /// <param name="filter">Which.</param>
    /// <param name="onUnreadable">Told of each message that is passed by because its properties cannot be read: its id, and why. Null: such a message ends the export.</param>
    /// <exception cref="System.Text.Json.JsonException">The properties of a message cannot be read, and nobody wants to be told.</exception>
    public IEnumerable<OutgoingMessage> Export(MessageFilter filter, Action<string, string>? onUnreadable = null)
    {
        List<long> numbers = [.. new MessageQuery(_file).Find(filter)];
        numbers.Reverse();
        foreach (long seq in numbers)
        {
            // Null when it was removed meanwhile.
            if (_file.Read(connection => ReadWhole(connection, seq)) is not { } found)
            {
                continue;
            }

            if (found.Fault is null)
            {
                yield return found.Message;
            }
            else if (onUnreadable is not null)
            {
                onUnreadable(found.Message.Id!, found.Fault);
            }
            else
            {
                throw new System.Text.Json.JsonException($"message {found.Message.Id}: {found.Fault}");
            }
        }
    }

    /// <summary>Waits until every active server has the messages with these ids, or some server will not get one of them.</summary>
    /// <param name="ids">The messages.</param>
    /// <param name="timeout">So long at most; null waits without an end, zero looks once.</param>
    /// <param name="cancellation">Ends the wait, within a second.</param>
    /// <returns>How far they have come: <see cref="SettlementProgress.Pending"/> when the time was over first.</returns>
    /// <remarks>Costs nothing while nothing happens. Delivery goes on whether anybody waits or not.</remarks>
    /// <exception cref="SpoolException"><see cref="SpoolFault.NotFound"/> when one is not in the spool.</exception>
    /// <exception cref="OperationCanceledException">The wait was ended.</exception>
    public SettlementProgress WaitForDelivery(IReadOnlyCollection<string> ids, TimeSpan? timeout = null, CancellationToken cancellation = default) =>
        ProgressWait.Run(_file.Path, () => ReadProgress(ids), timeout, _clock, cancellation);

    /// <summary>How far the messages with these ids have come at the active servers.</summary>
    /// <remarks>
    /// A message is delivered when every server has it that it is for: the active ones where it has a row, or those that its producer named. It is pending while it is unassigned, while only
    /// servers that are no longer configured wait for it, and while one of those waits and a configured server that would get it now has no row: that may be the same server under another name.
    /// </remarks>
    /// <exception cref="SpoolException"><see cref="SpoolFault.NotFound"/> when one is not in the spool.</exception>
    public SettlementProgress ReadProgress(IReadOnlyCollection<string> ids) => _file.Read(connection =>
    {
        bool pending = false, rejected = false;
        foreach (string id in ids)
        {
            MessageStatus status = (FindSeq(connection, id) is { } seq ? ReadStatus(connection, seq) : null)
                ?? throw new SpoolException(SpoolFault.NotFound, _file.Path, $"there is no message {id} in the spool {_file.Path}");
            ILookup<bool, DeliveryStatus> rows = status.Deliveries.ToLookup(status.IsAwaited);
            bool anyAwaited = rows[true].Any();
            pending |= rows[true].Any(IsWaiting) || (anyAwaited && rows[false].Any(IsWaiting) && SomeServerLacksIt(connection, id));
            pending |= !anyAwaited && (status.Deliveries.Count == 0 || rows[false].Any(row => row.State is not DeliveryState.Delivered));
            rejected |= rows[true].Any(row => row.State is DeliveryState.Rejected or DeliveryState.Expired or DeliveryState.Cancelled);
        }

        return rejected ? SettlementProgress.Rejected : pending ? SettlementProgress.Pending : SettlementProgress.Delivered;
    });

    /// <summary>Closes the spool.</summary>
    public void Dispose() => _file.Dispose();

    private static bool IsWaiting(DeliveryStatus row) => row.State is DeliveryState.Pending or DeliveryState.Deferred or DeliveryState.Held;

    private static IReadOnlyList<string> HostsOf(string? stored)
    {
        try
        {
            using System.Text.Json.JsonDocument hosts = System.Text.Json.JsonDocument.Parse(stored ?? "[]");
            return [.. hosts.RootElement.EnumerateArray().Select(host => host.GetString() ?? "")];
        }
        catch (Exception odd) when (odd is System.Text.Json.JsonException or InvalidOperationException)
        {
            return []; // another program wrote it
        }
    }

    private static bool SomeServerLacksIt(SqliteConnection connection, string id) => connection.ReadNumber(
        $"""
        SELECT EXISTS (SELECT 1 FROM message AS m CROSS JOIN server AS s WHERE m.id = $id AND {FanOut.IsFor}
            AND NOT EXISTS (SELECT 1 FROM delivery WHERE message = m.seq AND server = s.id))
        """,
        ("$id", id)) != 0;

    private List<ServerOverview> ReadServers(SqliteConnection connection, bool agentRuns)
    {
        long now = _clock.NowMicroseconds();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText =
            """
            SELECT s.name, s.active, s.paused, s.connection, s.endpoint, s.since,
                   s.pending, s.deferred, s.held, s.rejected, s.delivered, s.expired, s.cancelled, s.unrouted,
                   (SELECT m.created_at FROM message AS m
                    WHERE m.seq = (SELECT min(d.message) FROM delivery AS d WHERE d.server = s.id AND d.state = 'pending')),
                   s.last_error, s.rate, s.rate_at, s.last_error_at, s.recovered_at, s.hosts, s.id
            FROM server AS s ORDER BY s.name
            """;
        var servers = new List<ServerOverview>();
        ILookup<long, SuspensionStatus> suspensions = ReadSuspensions(connection);
        using SqliteDataReader row = command.ExecuteReader();
        while (row.Read())
        {
            double? rate = agentRuns && row.NumberOrNull(17) is { } rateAt && SpoolTime.Between(rateAt, now) < RateIsFreshFor && !row.IsDBNull(16) ? row.GetDouble(16) : null;
            bool isOver = row.NumberOrNull(19) is { } recoveredAt && SpoolTime.Between(recoveredAt, now) > ErrorIsShownFor;
            servers.Add(new ServerOverview(
                row.TextOrNull(0) ?? "", row.RequireNumber(1) != 0, row.RequireNumber(2) != 0,
                agentRuns ? row.TextOrNull(3) ?? "" : "disconnected", agentRuns ? row.TextOrNull(4) : null, row.TimeOrNull(5),
                row.RequireNumber(6), row.RequireNumber(7), row.RequireNumber(8), row.RequireNumber(9),
                row.RequireNumber(10), row.RequireNumber(11), row.RequireNumber(12), row.RequireNumber(13),
                row.TimeOrNull(14), isOver ? null : row.TextOrNull(15), isOver ? null : row.TimeOrNull(18), rate is { } number && double.IsFinite(number) ? number : null)
            {
                RecoveredAt = row.TimeOrNull(19),
                Hosts = HostsOf(row.TextOrNull(20)),
                Suspensions = row.RequireNumber(1) != 0 ? [.. suspensions[row.GetInt64(21)]] : [],
            });
        }

        return servers;
    }

    /// <summary>A pending message whose exchange or routing key the server refuses reads as deferred, with that reason; its row is not rewritten for that.</summary>
    private static MessageStatus? ReadStatus(SqliteConnection connection, long seq)
    {
        List<DeliveryStatus> deliveries = connection.ReadRows(
            """
            SELECT s.name, s.active, CASE WHEN coalesce(x.reason, k.reason) IS NULL THEN d.state ELSE 'deferred' END, d.attempts,
                   coalesce(d.next_attempt_at, nullif(x.next_probe_at, 0), nullif(k.next_probe_at, 0)), d.settled_at, d.endpoint, coalesce(d.reason, x.reason, k.reason)
            FROM delivery AS d JOIN server AS s ON s.id = d.server JOIN message AS m ON m.seq = d.message
            LEFT JOIN suspension AS x ON x.server = d.server AND x.exchange = coalesce(m.exchange, s.exchange) AND d.state = 'pending' AND s.active = 1
            LEFT JOIN key_suspension AS k ON k.server = d.server AND k.exchange = coalesce(m.exchange, s.exchange) AND k.routing_key = m.routing_key
                AND d.state = 'pending' AND s.active = 1
            WHERE d.message = $seq ORDER BY s.name
            """,
            static row => new DeliveryStatus(
                row.TextOrNull(0) ?? "", row.NumberOrNull(1) != 0, row.TextOrNull(2) ?? "", (int)Math.Clamp(row.NumberOrNull(3) ?? 0, int.MinValue, int.MaxValue),
                row.TimeOrNull(4), row.TimeOrNull(5), row.TextOrNull(6), row.TextOrNull(7)),
            ("$seq", seq));
        return connection.ReadRows(
            "SELECT id, exchange, routing_key, created_at, expires_at, servers, added_by FROM message WHERE seq = $seq",
            found => new MessageStatus(
                found.TextOrNull(0) ?? "", found.TextOrNull(1), found.TextOrNull(2) ?? "", found.TimeOrNull(3) ?? DateTimeOffset.UnixEpoch, found.TimeOrNull(4), deliveries)
            {
                Servers = TargetServers.Read(found.TextOrNull(5)),
                AddedBy = found.NumberOrNull(6) is { } uid and >= 0 and <= uint.MaxValue ? (uint)uid : null,
            },
            ("$seq", seq)).FirstOrDefault();
    }

    private static PastAgent? ReadAgent(SqliteConnection connection) => connection.ReadRows(
        "SELECT version, pid, since, predecessor, stopped_at, config_path, config_error FROM agent",
        static row => new PastAgent(row.TextOrNull(0) ?? "", row.NumberOrNull(1) ?? 0, row.TimeOrNull(2) ?? DateTimeOffset.UnixEpoch, row.TextOrNull(3), row.TimeOrNull(4), row.TextOrNull(5), row.TextOrNull(6)))
        .FirstOrDefault();

    private static ILookup<long, SuspensionStatus> ReadSuspensions(SqliteConnection connection) => connection.ReadRows(
        """
        SELECT server, exchange, NULL AS routing_key, reason, since, next_probe_at FROM suspension
        UNION ALL SELECT server, exchange, routing_key, reason, since, next_probe_at FROM key_suspension ORDER BY server, exchange, routing_key
        """,
        static row => (Server: row.GetInt64(0), Status: new SuspensionStatus(
            row.TextOrNull(1) ?? "", row.TextOrNull(2), row.TextOrNull(3) ?? "", row.TimeOrNull(4) ?? DateTimeOffset.UnixEpoch, row.TimeOrNull(5) ?? DateTimeOffset.UnixEpoch)))
        .ToLookup(row => row.Server, row => row.Status);

    private static PastRepair? ReadRepair(SqliteConnection connection, string path)
    {
        long at = Tally("repairedAt");
        return at > 0 && QuarantinedFiles.FindFor(path, at) is { } aside ? new PastRepair(SpoolTime.FromMicroseconds(at), Tally("repairSaved"), Tally("repairLost"), aside) : null;

        long Tally(string name) => connection.RequireNumber($"SELECT value FROM tally WHERE name = '{name}'");
    }

    private static (OutgoingMessage Message, string? Fault)? ReadWhole(SqliteConnection connection, long seq)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "SELECT id, exchange, routing_key, properties, created_at, expires_at, body, servers FROM message WHERE seq = $seq";
        command.Parameters.AddWithValue("$seq", seq);
        using SqliteDataReader row = command.ExecuteReader();
        if (!row.Read())
        {
            return null;
        }

        MessageProperties.TryFromJson(row.TextOrNull(3) ?? "", out MessageProperties properties, out string? fault);
        return (new OutgoingMessage
        {
            Id = row.TextOrNull(0) ?? "",
            Exchange = row.TextOrNull(1),
            RoutingKey = row.TextOrNull(2) ?? "",
            Properties = properties,
            CreatedAt = row.TimeOrNull(4),
            ExpiresAt = row.TimeOrNull(5),
            Body = row.Bytes(6),
            Servers = TargetServers.Read(row.TextOrNull(7)),
        }, fault);
    }

    private static long? FindSeq(SqliteConnection connection, string id) =>
        connection.ReadNumberOrNull("SELECT seq FROM message WHERE id = $id", ("$id", id));

    private static List<string> ReadTexts(SqliteCommand command)
    {
        var texts = new List<string>();
        using SqliteDataReader reader = command.ExecuteReader();
        while (reader.Read())
        {
            texts.Add(reader.TextOrNull(0) ?? "");
        }

        return texts;
    }
}
