using System.Diagnostics;
using System.Globalization;
using Quickq.Testing;
using Quickq.Testing.Network;

namespace Quickq.Disruption.Tests;

/// <summary>A broker that reads no more while a publish waits for it: an alarm, a frozen machine. What an operator, systemd or a changed configuration want is done all the same.</summary>
[Collection<TwoNodesCollection>]
public sealed class StuckBrokerTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private const int Longest = 300_000;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    /// <summary>Six are promised; one is for a busy machine to start, end and look at processes.</summary>
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(7);

    /// <summary>More than all buffers on the way hold: what is published last waits.</summary>
    private const string Backlog =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO message (exchange, routing_key, body) SELECT 'stuck', 'k', randomblob(8000) FROM n";

    public async ValueTask InitializeAsync() => await Task.WhenAll(hosts.First.EnsureServingAsync(), hosts.Second.EnsureServingAsync());

    public ValueTask DisposeAsync() => InitializeAsync();

    [Fact(Timeout = Longest)]
    public async Task Sigterm_ends_it_within_six_seconds_during_an_alarm_with_a_publish_that_waits()
    {
        using var spool = new TempSpool();
        await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, "stuck");
        using var agent = AgentProcess.Start(new AgentConfiguration(spool.Path).WithServer("mq2", hosts.Second, hosts.Name, "stuck"));
        await agent.AwaitLogAsync("mq2: connected", Limit);
        try
        {
            // The alarm is there first, and the broker tells it to those who publish: it reads the first message and nothing more.
            await hosts.Second.CtlAsync("set_vm_memory_high_watermark", "0.0001");
            await hosts.Second.PauseAsync();
            spool.Execute(Backlog);
            await AwaitFullSocketAsync(agent, hosts.Second.Port);
            hosts.Second.Resume();
            await agent.AwaitLogAsync("mq2: blocked by the broker", Limit);
            await Eventually.Gives("the status says so", "blocked", Limit, async () => (await spool.StatusOfAsync("mq2")).GetProperty("connection").GetString());

            await MustStopInTimeAsync(agent);
        }
        finally
        {
            await hosts.Second.CtlAsync("set_vm_memory_high_watermark", "0.6");
        }
    }

    [Fact(Timeout = Longest)]
    public async Task Sigterm_ends_it_within_six_seconds_when_the_broker_is_frozen()
    {
        using var spool = new TempSpool();
        await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, "stuck");
        using var agent = AgentProcess.Start(new AgentConfiguration(spool.Path).WithServer("mq2", hosts.Second, hosts.Name, "stuck"));
        await agent.AwaitLogAsync("mq2: connected", Limit);
        await hosts.Second.PauseAsync();
        spool.Execute(Backlog);
        await AwaitFullSocketAsync(agent, hosts.Second.Port);

        await MustStopInTimeAsync(agent);
    }

    [Fact(Timeout = Longest)]
    public async Task While_a_publish_waits_the_status_says_blocked_and_a_pause_is_seen()
    {
        using var spool = new TempSpool();
        await using var peer = Blocking();
        using var agent = AgentProcess.Start(new AgentConfiguration(spool.Path).WithServer("mq2", "127.0.0.1", peer.Port, "/", "stuck"));
        await agent.AwaitLogAsync("mq2: connected", Limit);
        spool.Execute(Backlog);
        await AwaitFullSocketAsync(agent, peer.Port);

        Assert.Contains("low on memory", await AwaitStateAsync(spool, "blocked"), StringComparison.Ordinal);
        (await new SpoolCommand(spool).RunAsync("pause", "mq2")).MustSucceed();
        await AwaitStateAsync(spool, "paused");
        await MustStopInTimeAsync(agent);
    }

    [Fact(Timeout = Longest)]
    public async Task A_reload_waits_for_no_server()
    {
        using var spool = new TempSpool();
        await using var peer = Blocking();
        await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "stuck");
        var configuration = new AgentConfiguration(spool.Path).WithServer("mq2", "127.0.0.1", peer.Port, "/", "stuck");
        using var agent = AgentProcess.Start(configuration);
        await agent.AwaitLogAsync("mq2: connected", Limit);
        spool.Execute(Backlog);
        await AwaitFullSocketAsync(agent, peer.Port);

        // In one change: the stuck one gets other settings, and a new one comes; in the next, another new one.
        configuration.Root["servers"]!["mq2"]!["window"] = 500;
        configuration.WithServer("mq1", hosts.First, hosts.Name, "stuck").WriteTo(configuration.FilePath);
        await agent.AwaitLogAsync("mq1: connected", Limit);
        configuration.WithServer("mq3", hosts.First, hosts.Name, "stuck").WriteTo(configuration.FilePath);
        await agent.AwaitLogAsync("mq3: connected", Limit);

        // The stuck one has its five seconds, and then its successor begins.
        await Eventually.Is("mq2 has another connection", Limit, () => peer.Conversations == 2);
        Assert.Contains("mq2: connection to", agent.Stderr, StringComparison.Ordinal);
        Assert.True(
            agent.Stderr.IndexOf("mq3: connected", StringComparison.Ordinal) < agent.Stderr.IndexOf("stopped before every confirm had come", StringComparison.Ordinal),
            $"both new servers came before the stuck one was through:\n{agent.Stderr}");

        // Removed while it is stuck again: SIGTERM waits for it no longer than for the others.
        await AwaitFullSocketAsync(agent, peer.Port);
        configuration.Root["servers"]!.AsObject().Remove("mq2");
        configuration.WriteTo(configuration.FilePath);
        await agent.AwaitLogAsync("mq2: its forwarder stops, it is no longer configured", Limit);
        await MustStopInTimeAsync(agent);
    }

    /// <summary>Reads the first message, blocks as a broker does in an alarm, and reads nothing more.</summary>
    private static AmqpPeer Blocking() => new() { Moves = { [AmqpPoint.Published] = new(AmqpFrames.Blocked("low on memory"), AmqpThen.StopReading) } };

    private static async Task<string?> AwaitStateAsync(TempSpool spool, string state)
    {
        await Eventually.Gives($"mq2 is {state}", state, Limit, async () => (await spool.StatusOfAsync("mq2")).GetProperty("connection").GetString());
        return (await spool.StatusOfAsync("mq2")).GetProperty("lastError").GetString();
    }

    /// <summary>Until the kernel takes no more from the agent: what it has to send stays the same, and is much.</summary>
    private static Task AwaitFullSocketAsync(AgentProcess agent, int port)
    {
        long before = -1;
        var same = 0;
        return Eventually.Is($"the socket to port {port} is full", Limit, () =>
        {
            var queued = QueuedTowards(agent, port);
            (same, before) = (queued > 100_000 && queued == before ? same + 1 : 0, queued);
            return same >= 5;
        });
    }

    /// <summary>Bytes that the kernel has not sent yet, of /proc/net/tcp: "sl local remote state tx:rx ...".</summary>
    private static long QueuedTowards(AgentProcess agent, int port) => File.ReadLines($"/proc/{agent.Pid}/net/tcp").Skip(1)
        .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        .Where(words => words[2].EndsWith(string.Create(CultureInfo.InvariantCulture, $":{port:X4}"), StringComparison.Ordinal) && words[3] is "01")
        .Sum(words => long.Parse(words[4].Split(':')[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture));

    private static async Task MustStopInTimeAsync(AgentProcess agent)
    {
        var since = Stopwatch.StartNew();
        Assert.Equal(0, await agent.StopAsync());
        Assert.InRange(since.Elapsed, TimeSpan.Zero, StopLimit);
    }
}
