using System.Globalization;
using Microsoft.Data.Sqlite;
using Quickq.Agent.Feed;
using Quickq.Spool;
using Quickq.Spool.Systemd;

namespace Quickq.Agent.Observability;

/// <summary>Keeps the line that <c>systemctl status</c> shows: who is connected and what waits, in words.</summary>
/// <remarks>Looks when the spool changed, at most once in <see cref="Quiet"/>, and says only what is new.</remarks>
internal sealed class BacklogStatus(string spoolPath, SpoolSignal signal, SystemdNotice notice, LoopLiveness ledger, TimeProvider clock)
{
    public static readonly TimeSpan Quiet = TimeSpan.FromSeconds(5);

    /// <summary>More would not be read in one line.</summary>
    private const int MostServers = 5;

    private SpoolFile? _file;
    private string? _said;

    /// <summary>Runs until the agent stops; where nobody listens, without ever waking.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            while (notice.IsHeard)
            {
                Task next = signal.NextChange;
                Say();
                await Task.Delay(Quiet, clock, stopping);
                await next.WaitAsync(stopping);
            }

            await Task.Delay(Timeout.InfiniteTimeSpan, clock, stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            _file?.Dispose();
        }
    }

    /// <summary>The line for these servers.</summary>
    public static string Describe(IReadOnlyList<ServerBacklog> servers, long unassigned, string? trouble)
    {
        int connected = servers.Count(server => server.Connection is "connected");
        var parts = new List<string>
        {
            servers.Count == 0 ? "no server is configured"
            : connected == servers.Count ? string.Create(CultureInfo.InvariantCulture, $"{Count(connected, "server")} connected")
            : string.Create(CultureInfo.InvariantCulture, $"{connected} of {Count(servers.Count, "server")} connected"),
        };
        if (trouble is not null)
        {
            parts.Add(trouble);
        }

        ServerBacklog[] telling = [.. servers.Where(server => server.Waiting + server.Held + server.Rejected > 0 || server.Connection is not "connected")];
        parts.AddRange(telling.Take(MostServers).Select(Describe));
        if (telling.Length > MostServers)
        {
            parts.Add(string.Create(CultureInfo.InvariantCulture,
                $"{Count(telling.Length - MostServers, "more server")}: {telling.Skip(MostServers).Sum(server => server.Waiting):N0} wait"));
        }

        if (unassigned > 0)
        {
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"{unassigned:N0} wait for a server"));
        }

        if (unassigned == 0 && servers.All(server => server.Waiting == 0))
        {
            parts.Add("nothing waits");
        }

        return string.Join("; ", parts);
    }

    private static string Describe(ServerBacklog server)
    {
        var words = new List<string>();
        if (server.Waiting > 0)
        {
            words.Add(string.Create(CultureInfo.InvariantCulture, $"{server.Waiting:N0} wait"));
        }

        if (server.Held > 0)
        {
            words.Add(string.Create(CultureInfo.InvariantCulture, $"{server.Held:N0} held"));
        }

        if (server.Rejected > 0)
        {
            words.Add(string.Create(CultureInfo.InvariantCulture, $"{server.Rejected:N0} rejected"));
        }

        string state = server.Connection is "connected" ? "" : " " + server.Connection;
        return words.Count == 0 ? server.Name + state : $"{server.Name}{state}: {string.Join(", ", words)}";
    }

    private static string Count(int count, string what) =>
        string.Create(CultureInfo.InvariantCulture, $"{count} {what}{(count == 1 ? "" : "s")}");

    private void Say()
    {
        string now;
        try
        {
            now = Read();
        }
        catch (Exception trouble) when (trouble is SqliteException or SpoolException)
        {
            // The forwarders log it; here it is the status.
            _file?.Dispose();
            _file = null;
            now = $"the spool cannot be read: {trouble.Message}";
        }

        if (!string.Equals(now, _said, StringComparison.Ordinal))
        {
            _said = now;
            notice.Status(EventText.WithoutPasswords(now));
        }
    }

    private string Read()
    {
        _file ??= SpoolFile.OpenForReading(spoolPath);
        SqliteConnection connection = _file.Connection;

        List<ServerBacklog> servers = connection.ReadRows(
            "SELECT name, connection, pending + deferred, held, rejected FROM server WHERE active = 1 ORDER BY name",
            row => new ServerBacklog(row.GetString(0), row.GetString(1), row.GetInt64(2), row.GetInt64(3), row.GetInt64(4)));
        long unassigned = connection.ReadNumber("SELECT value FROM tally WHERE name = 'unassigned'");
        return Describe(servers, unassigned, ledger.Trouble);
    }
}

/// <summary>One server's line of the status. <paramref name="Waiting"/> counts what is due and what is deferred.</summary>
internal sealed record ServerBacklog(string Name, string Connection, long Waiting, long Held, long Rejected);
