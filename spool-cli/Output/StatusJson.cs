using Quickq.Spool;

namespace Quickq.SpoolCli.Output;

/// <summary><c>status --json</c>. Members may be added; none is renamed or removed.</summary>
internal sealed record StatusJson(SpoolJson Spool, AgentJson Agent, IReadOnlyList<ServerJson> Servers)
{
    public static StatusJson From(SpoolOverview overview) => new(
        new SpoolJson(overview.Path, overview.Messages, overview.Bytes, new RefusedJson(overview.Refused, Time.Exact(overview.RefusedAt)), overview.Unassigned, overview.Sqlite,
            overview.Repaired is { } past ? new PastRepairJson(Time.Exact(past.At)!, past.MessagesSaved, past.MessagesLost, past.Aside) : null),
        AgentJson.From(overview),
        [.. overview.Servers.Select(ServerJson.From)]);
}

/// <summary>The member <c>spool</c>.</summary>
internal sealed record SpoolJson(string Path, long Messages, long Bytes, RefusedJson Refused, long Unassigned, string Sqlite, PastRepairJson? Repaired);

/// <summary>The member <c>refused</c> of <c>spool</c>: messages that it refused because it was full or could not be written, at least so many, and when last.</summary>
internal sealed record RefusedJson(long Count, string? LastAt);

/// <summary>The member <c>repaired</c> of <c>spool</c>: null unless the files of a past repair are still there.</summary>
internal sealed record PastRepairJson(string At, long MessagesSaved, long MessagesLost, string Aside);

/// <summary>The member <c>agent</c>.</summary>
/// <param name="Running">Whether one runs.</param>
/// <param name="Pid">Its process, or null.</param>
/// <param name="Since">When it started; of one that does not run, null.</param>
/// <param name="Version">The version of the one that runs or ran last, or null.</param>
/// <param name="ConfigError">Why its configuration was refused when it was read last, or null.</param>
internal sealed record AgentJson(bool Running, int? Pid, string? Since, string? Version, string? ConfigError)
{
    public static AgentJson From(SpoolOverview overview) => new(
        overview.AgentPid is not null, overview.AgentPid, overview.AgentPid is null ? null : Time.Exact(overview.Agent?.Since), overview.Agent?.Version, overview.Agent?.ConfigError);
}

/// <summary>One of the member <c>servers</c>.</summary>
internal sealed record ServerJson(
    string Name, bool Active, bool Paused, string Connection, string? Endpoint, string? Since,
    long Pending, long Deferred, long Held, long Rejected, long Delivered, long Expired, long Cancelled, long Unrouted,
    string? OldestPendingAt, double? RatePerSecond, string? LastError, string? LastErrorAt, string? RecoveredAt, IReadOnlyList<SuspensionJson> Suspensions)
{
    public static ServerJson From(ServerOverview server) => new(
        server.Name, server.Active, server.Paused, server.Connection, server.Endpoint, Time.Exact(server.Since),
        server.Pending, server.Deferred, server.Held, server.Rejected, server.Delivered, server.Expired, server.Cancelled, server.Unrouted,
        Time.Exact(server.OldestPendingAt), server.RatePerSecond, server.LastError, Time.Exact(server.LastErrorAt), Time.Exact(server.RecoveredAt),
        [.. server.Suspensions.Select(SuspensionJson.From)]);
}

/// <summary>One of the member <c>suspensions</c> of a server; <paramref name="Key"/> is null for the whole exchange.</summary>
internal sealed record SuspensionJson(string Exchange, string? Key, string Reason, string Since, string NextAttemptAt)
{
    public static SuspensionJson From(SuspensionStatus suspension) => new(
        suspension.Exchange, suspension.RoutingKey, suspension.Reason, Time.Exact(suspension.Since), Time.Exact(suspension.NextAttemptAt));
}
