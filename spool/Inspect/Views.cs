namespace Quickq.Spool;

/// <summary>What <c>status</c> shows of a whole spool.</summary>
/// <param name="Path">The spool, symbolic links followed.</param>
/// <param name="Messages">Messages in it, settled ones that are still retained included.</param>
/// <param name="Bytes">Bytes of live pages.</param>
/// <param name="Unassigned">Messages that are for no server yet.</param>
/// <param name="Sqlite">Version of the SQLite in use.</param>
/// <param name="AgentPid">Process id of the running agent, or null.</param>
/// <param name="Servers">All servers ever known, by name.</param>
/// <param name="Repaired">What the last repair did, as long as the damaged files that it kept are there.</param>
public sealed record SpoolOverview(
    string Path, long Messages, long Bytes, long Unassigned, string Sqlite, int? AgentPid, IReadOnlyList<ServerOverview> Servers, PastRepair? Repaired = null)
{
    /// <summary>Whether an agent has ever run on this spool.</summary>
    public bool AgentHasRun { get; init; }

    /// <summary>Messages that the spool refused since it was made, because it was full or could not be written: at least so many.</summary>
    public long Refused { get; init; }

    /// <summary>When it refused one last; null when it never did.</summary>
    public DateTimeOffset? RefusedAt { get; init; }

    /// <summary>What the agent that runs, or ran last, said of itself; null when none did.</summary>
    public PastAgent? Agent { get; init; }
}

/// <summary>What an agent says of itself.</summary>
/// <param name="Version">Its version.</param>
/// <param name="Pid">Its process.</param>
/// <param name="Since">When it started.</param>
/// <param name="Predecessor">How the agent before it ended: <c>stopped</c>, or <c>killed</c> (a crash, a power cut); null when there was none.</param>
/// <param name="StoppedAt">When it ended by itself; null while it runs, and when it was killed.</param>
/// <param name="ConfigPath">Its configuration.</param>
/// <param name="ConfigError">Why the configuration was refused when it was read last; the one before it is in force. Null: it is in force.</param>
public sealed record PastAgent(string Version, long Pid, DateTimeOffset Since, string? Predecessor, DateTimeOffset? StoppedAt, string? ConfigPath, string? ConfigError);

/// <summary>An exchange, or a routing key of one, that a server refuses just now.</summary>
/// <param name="Exchange">The exchange.</param>
/// <param name="RoutingKey">The routing key; null for the whole exchange.</param>
/// <param name="Reason">Why, in the broker's words where it gave some.</param>
/// <param name="Since">Since when.</param>
/// <param name="NextAttemptAt">When it is tried again.</param>
public sealed record SuspensionStatus(string Exchange, string? RoutingKey, string Reason, DateTimeOffset Since, DateTimeOffset NextAttemptAt);

/// <summary>The repair of a damaged spool, as <c>status</c> tells of it until somebody has removed the damaged files.</summary>
/// <param name="At">When.</param>
/// <param name="MessagesSaved">Messages that came over.</param>
/// <param name="MessagesLost">Messages that could not be read; there may be more where what counts them was damaged too.</param>
/// <param name="Aside">The damaged file.</param>
public sealed record PastRepair(DateTimeOffset At, long MessagesSaved, long MessagesLost, string Aside);

/// <summary>One server: its connection, its backlog by state (current), and its totals (never lowered by removing messages).</summary>
/// <param name="Name">The name in the agent's configuration; it is what identifies a server.</param>
/// <param name="Active">False: no longer configured; it gets no new messages and keeps its rows.</param>
/// <param name="Paused">An operator paused it.</param>
/// <param name="Connection"><c>connected</c>, <c>reconnecting</c>, <c>disconnected</c>, <c>blocked</c> or <c>paused</c>; always <c>disconnected</c> while no agent runs.</param>
/// <param name="Endpoint">The <c>ip:port</c> in use, or null.</param>
/// <param name="Since">When the connection state last changed.</param>
/// <param name="Pending">Due now.</param>
/// <param name="Deferred">Refused for now; waiting for the next attempt.</param>
/// <param name="Held">Held by an operator.</param>
/// <param name="Rejected">Parked; an operator must decide.</param>
/// <param name="Delivered">Total confirmed.</param>
/// <param name="Expired">Total expired before sending.</param>
/// <param name="Cancelled">Total given up by an operator.</param>
/// <param name="Unrouted">Total confirmed that no queue received; counted in <paramref name="Delivered"/> too.</param>
/// <param name="OldestPendingAt">When the oldest pending message was accepted, or null.</param>
/// <param name="LastError">What last went wrong there, in the broker's words where it gave some.</param>
/// <param name="LastErrorAt">When that was; null when nothing did.</param>
/// <param name="RatePerSecond">Messages delivered a second lately; null when nothing was in the last 10 s.</param>
public sealed record ServerOverview(
    string Name, bool Active, bool Paused, string Connection, string? Endpoint, DateTimeOffset? Since,
    long Pending, long Deferred, long Held, long Rejected, long Delivered, long Expired, long Cancelled, long Unrouted,
    DateTimeOffset? OldestPendingAt, string? LastError, DateTimeOffset? LastErrorAt, double? RatePerSecond)
{
    /// <summary>Since when what <see cref="LastError"/> says is over; an hour later that is null too. Null while it goes on.</summary>
    public DateTimeOffset? RecoveredAt { get; init; }

    /// <summary>The configured hosts, each with its port.</summary>
    public IReadOnlyList<string> Hosts { get; init; } = [];

    /// <summary>The exchanges and routing keys that it refuses just now.</summary>
    public IReadOnlyList<SuspensionStatus> Suspensions { get; init; } = [];
}

/// <summary>One message and what became of it at each server.</summary>
public sealed record MessageStatus(
    string Id, string? Exchange, string RoutingKey, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, IReadOnlyList<DeliveryStatus> Deliveries)
{
    /// <summary>The names of the servers that its producer named; null for all.</summary>
    public IReadOnlyList<string>? Servers { get; init; }

    /// <summary>The account that added it; null where that is not known.</summary>
    public uint? AddedBy { get; init; }

    /// <summary>Whether somebody who waits for the message waits for this row: its server is configured, or its producer named it.</summary>
    internal bool IsAwaited(DeliveryStatus row) => Servers is null ? row.ServerActive : Servers.Contains(row.Server, StringComparer.Ordinal);
}

/// <summary>One message at one server.</summary>
/// <param name="Server">The server's name.</param>
/// <param name="ServerActive">Whether that server is configured now.</param>
/// <param name="State">One of <see cref="DeliveryState.All"/>.</param>
/// <param name="Attempts">How often the server has given an answer to this message.</param>
/// <param name="NextAttemptAt">When a deferred message is tried again.</param>
/// <param name="SettledAt">When it was delivered, rejected, expired or cancelled.</param>
/// <param name="Endpoint">The <c>ip:port</c> that gave the last answer.</param>
/// <param name="Reason">Why it is not delivered, in the broker's words where it gave some.</param>
public sealed record DeliveryStatus(
    string Server, bool ServerActive, string State, int Attempts,
    DateTimeOffset? NextAttemptAt, DateTimeOffset? SettledAt, string? Endpoint, string? Reason);

/// <summary>A message with its properties and its body, byte for byte.</summary>
public sealed record StoredMessage(MessageStatus Status, MessageProperties Properties, byte[] Body)
{
    /// <summary>The stored text of properties that cannot be read; the agent rejects such a message. Null, as nearly always, when <see cref="Properties"/> has them.</summary>
    public string? UnreadableProperties { get; init; }

    /// <summary>Why the properties cannot be read; null when they can.</summary>
    public string? PropertiesFault { get; init; }
}

/// <summary>Which messages to list. All conditions must hold.</summary>
public sealed record MessageFilter
{
    /// <summary>Only messages with a row at this server.</summary>
    public string? Server { get; init; }

    /// <summary>Only messages with a row in this state (at <see cref="Server"/>, where that is given).</summary>
    public string? State { get; init; }

    /// <summary>Only routing keys that match: <c>*</c> stands for one word, <c>#</c> for any number, as in AMQP topic bindings.</summary>
    public string? TopicPattern { get; init; }

    /// <summary>Only messages accepted at this time or later.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Only messages accepted before this time.</summary>
    public DateTimeOffset? Until { get; init; }

    /// <summary>At most so many; default 100.</summary>
    public int Limit { get; init; } = 100;

    /// <summary>Instead of <see cref="State"/>: several states, each with an index of its own.</summary>
    internal IReadOnlyList<string>? States { get; init; }
}

/// <summary>How far messages have come that somebody waits for.</summary>
public enum SettlementProgress
{
    /// <summary>Some active server does not have one of them yet.</summary>
    Pending,

    /// <summary>Every active server has them all.</summary>
    Delivered,

    /// <summary>At some active server one of them is rejected, expired or cancelled.</summary>
    Rejected,
}
