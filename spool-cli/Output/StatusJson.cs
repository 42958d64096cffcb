using Quickq.Spool;

namespace Quickq.SpoolCli.Output;

/// <summary><c>status --json</c>. Members may be added; none is renamed or removed.</summary>
internal sealed record StatusJson(SpoolJson Spool, AgentJson Agent, IReadOnlyList<ServerJson> Servers)
{
    public static StatusJson From(SpoolOverview overview) => new(
        new SpoolJson(overview.Path, overview.Messages, overview.Bytes, overview.Unassigned, overview.Sqlite,
            overview.Repaired is { } past ? new PastRepairJson(Time.Exact(past.At)!, past.MessagesSaved, past.MessagesLost, past.Aside) : null),
        new AgentJson(overview.AgentPid is not null, overview.AgentPid),
        [.. overview.Servers.Select(ServerJson.From)]);
}

/// <summary>The member <c>spool</c>.</summary>
internal sealed record SpoolJson(string Path, long Messages, long Bytes, long Unassigned, string Sqlite, PastRepairJson? Repaired);

/// <summary>The member <c>repaired</c> of <c>spool</c>: null unless the files of a past repair are still there.</summary>
internal sealed record PastRepairJson(string At, long MessagesSaved, long MessagesLost, string Aside);

/// <summary>The member <c>agent</c>.</summary>
internal sealed record AgentJson(bool Running, int? Pid);

/// <summary>One of the member <c>servers</c>.</summary>
internal sealed record ServerJson(
    string Name, bool Active, bool Paused, string Connection, string? Endpoint, string? Since,
    long Pending, long Deferred, long Held, long Rejected, long Delivered, long Expired, long Cancelled, long Unrouted,
    string? OldestPendingAt, double? RatePerSecond, string? LastError, string? LastErrorAt)
{
    public static ServerJson From(ServerOverview server) => new(
        server.Name, server.Active, server.Paused, server.Connection, server.Endpoint, Time.Exact(server.Since),
        server.Pending, server.Deferred, server.Held, server.Rejected, server.Delivered, server.Expired, server.Cancelled, server.Unrouted,
        Time.Exact(server.OldestPendingAt), server.RatePerSecond, server.LastError, Time.Exact(server.LastErrorAt));
}
