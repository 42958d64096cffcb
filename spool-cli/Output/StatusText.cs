using System.Globalization;
using Quickq.Spool;

namespace Quickq.SpoolCli.Output;

/// <summary>The overview of <c>status</c> for a person: the numbers, and why nothing goes out where nothing does.</summary>
internal sealed class StatusText(TextWriter output, AnsiColors palette, DateTimeOffset now)
{
    public void Write(SpoolOverview overview)
    {
        output.Write($"spool: {SafeText.OneLine(overview.Path)}, {Printable.Count(overview.Messages, "message")}, {ByteSize.Describe(overview.Bytes)}, SQLite {overview.Sqlite}\n");
        output.Write(overview.AgentPid is { } pid
            ? $"agent: {palette.Paint("running", Colour.Good)} (pid {pid.ToString(CultureInfo.InvariantCulture)})\n"
            : $"agent: {palette.Paint("not running", Colour.Bad)}\n");
        if (overview.Servers.Count > 0)
        {
            output.Write('\n');
            WriteServers(overview.Servers);
        }

        WriteNotes(Notes(overview));
    }

    private void WriteServers(IReadOnlyList<ServerOverview> servers)
    {
        var table = new TextTable(
            "SERVER", "CONNECTION", "ENDPOINT", ">PENDING", ">DEFERRED", ">HELD", ">REJECTED", ">DELIVERED", "OLDEST PENDING", ">AGE", ">RATE", ">TIME LEFT");
        foreach (var server in servers)
        {
            table.Add(
                server.Name,
                Connection(server),
                server.Endpoint ?? "-",
                Printable.Count(server.Pending),
                Warn(server.Deferred, Colour.Warning),
                Warn(server.Held, Colour.Warning),
                Warn(server.Rejected, Colour.Bad),
                Printable.Count(server.Delivered),
                Time.Short(server.OldestPendingAt),
                server.OldestPendingAt is { } oldest ? Time.Span(now - oldest) : "-",
                server.RatePerSecond is { } rate ? string.Create(CultureInfo.InvariantCulture, $"{rate:#,0.#}/s") : "-",
                TimeLeft(server));
        }

        table.Write(output, palette);
    }

    private static Cell Warn(long count, Colour colour) => new(Printable.Count(count), count > 0 ? colour : Colour.None);

    private static Cell Connection(ServerOverview server) => server switch
    {
        { Active: false } => new("not configured", Colour.Faint),
        { Connection: "connected" } => new("connected", Colour.Good),
        { Connection: "disconnected" } => new("disconnected", Colour.Bad),
        _ => new(server.Connection, Colour.Warning),
    };

    private static string TimeLeft(ServerOverview server) => server switch
    {
        { Pending: 0 } => "-",
        { RatePerSecond: > 0.01 and var rate } => Time.Span(TimeSpan.FromSeconds(Math.Min(server.Pending / rate, 1e9))),
        _ => "-",
    };

    private IEnumerable<(string About, string Text)> Notes(SpoolOverview overview)
    {
        foreach (var server in overview.Servers)
        {
            if (server.LastError is not null)
            {
                yield return (server.Name, $"last error{(server.LastErrorAt is { } at ? $", {Time.Span(now - at)} ago" : "")}: {server.LastError}");
            }

            if (Obstacle(server) is { } obstacle)
            {
                yield return (server.Name, obstacle);
            }

            if (server.Rejected > 0)
            {
                yield return (server.Name, $"{Printable.Count(server.Rejected)} rejected, each with its reason: 'quickq-spool list --server {server.Name} --state rejected'");
            }
        }

        if (overview.AgentPid is null)
        {
            yield return ("agent", overview.AgentHasRun
                ? "nothing is delivered until it starts: 'systemctl start quickq-agent'; messages are accepted meanwhile"
                : "it has never run on this spool: write /etc/quickq/quickq.json, then 'systemctl start quickq-agent'; messages are accepted meanwhile");
        }

        if (overview.Repaired is { } past)
        {
            yield return ("spool", $"repaired {Time.Short(past.At)}: {Printable.Count(past.MessagesSaved, "message")} saved, {Printable.Count(past.MessagesLost)} lost; look at {past.Aside}, then remove it and this note goes");
        }

        if (overview.Unassigned > 0)
        {
            yield return ("spool", $"{Printable.Count(overview.Unassigned, "message")} for no server of the agent yet, by their exchange or the servers that they name; the agent delivers them when its configuration has one. 'quickq-spool list' marks them unassigned");
        }
    }

    private static string? Obstacle(ServerOverview server) => server switch
    {
        { Active: false } when server.Pending + server.Deferred + server.Held > 0 =>
            "no longer in the agent's configuration: its messages wait until it is back there",
        { Paused: true } => $"paused by an operator: 'quickq-spool resume {server.Name}'",
        { Connection: "blocked" } => "the broker takes nothing for now (its memory or disk alarm); delivery goes on by itself when the alarm ends",
        { Connection: "reconnecting" } => "the link is down; the agent keeps trying, nothing is lost",
        _ => null,
    };

    private void WriteNotes(IEnumerable<(string About, string Text)> notes)
    {
        var first = true;
        foreach (var (about, text) in notes)
        {
            output.Write(first ? "\n" : "");
            output.Write($"{SafeText.OneLine(about)}: {SafeText.OneLine(text)}\n");
            first = false;
        }
    }
}
