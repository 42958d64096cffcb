using System.Diagnostics;
using Quickq.Testing;
using Quickq.Testing.Network;

namespace Quickq.Disruption.Tests;

/// <summary>SIGTERM while something of this host does not go on: a lock that is not given back, a disk that does not answer. It ends the agent within six seconds, with 0.</summary>
public sealed class StopDeadlineTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    /// <summary>Six are promised; one is for a busy machine to start, end and look at processes.</summary>
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(7);

    [Fact(Timeout = 300_000)]
    public async Task Somebody_holds_the_lock_of_the_spool()
    {
        using var spool = new TempSpool();
        await using var peer = new AmqpPeer();
        using var agent = AgentProcess.Start(new AgentConfiguration(spool.Path).WithServer("mq1", "127.0.0.1", peer.Port, "/", "e"));
        await agent.AwaitLogAsync("mq1: connected", Limit);
        using var holder = ChildProcess.Start("flock", [$"{spool.Path}.lock", "cat"]);
        await Eventually.Is("the lock is held", Limit, () => IsHeldBy(holder, spool));
        spool.Execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO message (exchange, body) SELECT 'e', '{}' FROM n");
        await Eventually.Is("most of a window is confirmed, and cannot be written down", Limit, () => peer.Published >= 700);

        await MustStopInTimeAsync(agent);
        Assert.Equal(0, spool.CountDelivered());

        // What was confirmed and not written down is sent again, and the rest.
        holder.Stdin.Close();
        using var again = AgentProcess.Start(new AgentConfiguration(spool.Path).WithServer("mq1", "127.0.0.1", peer.Port, "/", "e"));
        await spool.AwaitDeliveredAsync(3_000, Limit, "mq1");
        Assert.Equal(0, await again.StopAsync());
    }

    [Fact(Timeout = 300_000)]
    public async Task Another_program_has_the_database_locked()
    {
        using var spool = new TempSpool();
        await using var peer = new AmqpPeer();
        using var agent = AgentProcess.Start(new AgentConfiguration(spool.Path).WithServer("mq1", "127.0.0.1", peer.Port, "/", "e"));
        await agent.AwaitLogAsync("mq1: connected", Limit);
        spool.Execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO message (exchange, body) SELECT 'e', '{}' FROM n");
        using var holder = ChildProcess.Start("sqlite3", [spool.Path]);
        await holder.Stdin.WriteAsync("BEGIN IMMEDIATE; SELECT 'locked';\n");
        await holder.Stdin.FlushAsync();
        await Eventually.Is("the database is locked", Limit, () => holder.Stdout.Contains("locked", StringComparison.Ordinal));

        await MustStopInTimeAsync(agent);
    }

    [Fact(Timeout = 300_000)]
    public async Task A_file_of_the_configuration_is_on_a_disk_that_does_not_answer()
    {
        using var spool = new TempSpool();
        using RecordedDisk disk = await RecordedDisk.MakeAsync();
        await disk.PauseAsync();
        await using var peer = new AmqpPeer();
        var configuration = new AgentConfiguration(spool.Path).WithServer("mq1", "127.0.0.1", peer.Port, "/", "e");
        using var systemd = new NotifySocket(spool.File("notify"));
        using var agent = AgentProcess.Start(configuration, new Dictionary<string, string?>(StringComparer.Ordinal) { ["NOTIFY_SOCKET"] = systemd.Address });
        await agent.AwaitLogAsync("mq1: connected", Limit);

        // The reload reads it, and waits; deliveries go on.
        configuration.Root["servers"]!["mq1"]!["passwordFile"] = Path.Combine(disk.FuseFolder, "disk");
        configuration.Root["servers"]!["mq1"]!.AsObject().Remove("password");
        configuration.WriteTo(configuration.FilePath);
        await systemd.AwaitAsync("RELOADING=1", Limit);
        spool.Execute("INSERT INTO message (exchange, body) VALUES ('e', '{}')");
        await spool.AwaitDeliveredAsync(1, Limit, "mq1");

        await MustStopInTimeAsync(agent);
        disk.Resume();
        await disk.UnmountAsync();
    }

    [Fact(Timeout = 300_000)]
    public async Task Nobody_reads_standard_error()
    {
        using var spool = new TempSpool();
        await using var peer = new AmqpPeer { Moves = { [AmqpPoint.Published] = new([], AmqpThen.StopReading) } };

        // The pipe is full from the beginning: sleep reads nothing of it.
        using var agent = AgentProcess.Start(
            new AgentConfiguration(spool.Path).WithServer("mq1", "127.0.0.1", peer.Port, "/", "e"), environment: null, inside: null,
            "bash", "-c", "exec 2> >(exec sleep 100 > /dev/null 2>&1); head -c 65536 /dev/zero >&2; exec \"$@\"", "bash");
        await Eventually.Is("the agent is connected", Limit, () => peer.Conversations > 0);
        spool.Execute("INSERT INTO message (exchange, body) VALUES ('e', '{}')");
        await Eventually.Is("a message is out, and not confirmed", Limit, () => peer.Published > 0);

        await MustStopInTimeAsync(agent);
    }

    private static bool IsHeldBy(ChildProcess holder, TempSpool spool) =>
        Directory.GetFiles($"/proc/{holder.Pid}/fd").Any(descriptor => string.Equals(new FileInfo(descriptor).LinkTarget, $"{spool.Path}.lock", StringComparison.Ordinal))
        && Directory.Exists($"/proc/{holder.Pid}/task/{holder.Pid}") && File.ReadAllText($"/proc/{holder.Pid}/task/{holder.Pid}/children").Length > 0;

    private static async Task MustStopInTimeAsync(AgentProcess agent)
    {
        var since = Stopwatch.StartNew();
        Assert.Equal(0, await agent.StopAsync());
        Assert.InRange(since.Elapsed, TimeSpan.Zero, StopLimit);
    }
}
