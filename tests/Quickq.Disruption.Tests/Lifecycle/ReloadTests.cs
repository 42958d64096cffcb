using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using Quickq.Testing;
using Quickq.Testing.Auditing;

namespace Quickq.Disruption.Tests;

/// <summary>The configuration changes while the agent works: servers come, change and go, and the others do not notice.</summary>
[Collection<TwoNodesCollection>]
public sealed class ReloadTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    public async ValueTask InitializeAsync() => await Task.WhenAll(hosts.First.EnsureServingAsync(), hosts.Second.EnsureServingAsync());

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact(Timeout = 240_000)]
    public async Task A_server_is_added_changed_and_removed_amid_a_stream_and_the_others_keep_their_connections()
    {
        using var spool = new TempSpool();
        var first = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "reload");
        var second = await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, "reload");
        var configuration = new AgentConfiguration(spool.Path)
            .WithServer("mq1", hosts.First, hosts.Name, "reload")
            .WithServer("mq2", hosts.Second, hosts.Name, "reload");
        using var agent = AgentProcess.Start(configuration);
        await spool.AwaitServersAsync(Limit);
        using var producer = SteadyProducer.Start(spool, "reload", TimeSpan.FromMilliseconds(40));
        await AwaitConnectionsAsync(agent, 1, "mq1", "mq2");

        // SIGHUP with nothing changed touches nobody.
        agent.Hangup();
        await agent.AwaitLogAsync("again: 2 servers", Limit);
        Assert.DoesNotContain("its forwarder stops", agent.Stderr, StringComparison.Ordinal);

        // A changed file: a third server comes.
        configuration.WithServer("mq3", hosts.Second, hosts.Name, "reload").WriteTo(spool.File("quickq.json"));
        await AwaitConnectionsAsync(agent, 1, "mq3");

        // A error: all goes on as it was.
        var mq2 = configuration.Root["servers"]!["mq2"]!.AsObject();
        mq2["window"] = 0;
        configuration.WriteTo(spool.File("quickq.json"));
        await agent.AwaitLogAsync("servers.mq2.window", Limit);

        // One changes, and comes back as another.
        mq2["window"] = 500;
        configuration.WriteTo(spool.File("quickq.json"));
        await AwaitConnectionsAsync(agent, 2, "mq2");

        // One goes; what it has not got stays in the spool.
        configuration.Root["servers"]!.AsObject().Remove("mq3");
        configuration.WriteTo(spool.File("quickq.json"));
        await agent.AwaitLogAsync("mq3: its forwarder stops, it is no longer configured", Limit);
        await Eventually.Gives("mq3 is no longer active", 0L, Limit, () => spool.Value<long>("SELECT active FROM server WHERE name = 'mq3'"));
        var accepted = await producer.FinishAsync();
        await spool.AwaitDeliveredAsync(accepted.Count, Limit, "mq1", "mq2");
        var status = await spool.StatusOfAsync("mq3");
        Assert.Equal(0, await agent.StopAsync());

        Assert.False(status.GetProperty("active").GetBoolean());
        Assert.Equal(1, CountConnections(agent, "mq1"));
        Assert.Equal(1, CountConnections(agent, "mq3"));
        Assert.DoesNotContain("are sent again", agent.Stderr, StringComparison.Ordinal);

        // Two servers fill one queue here: mq3's are the second ones.
        var found = await second.DrainAsync();
        var ofThird = spool.Query<string>("SELECT m.id FROM delivery AS d JOIN message AS m ON m.seq = d.message JOIN server AS s ON s.id = d.server WHERE s.name = 'mq3' AND d.state = 'delivered'").Count;
        Assert.Equal(accepted.Count + ofThird, found.Count);
        Audit.Of(spool, accepted)
            .Server("mq1", await first.DrainAsync())
            .Server("mq2", found, faults: 1, window: ofThird)
            .MustBeClean();
    }

    [Fact(Timeout = 240_000)]
    public async Task Whatever_bytes_the_changed_file_holds_the_old_configuration_goes_on()
    {
        using var spool = new TempSpool();
        var configuration = new AgentConfiguration(spool.Path).WithServer("mq1", hosts.First, hosts.Name, "reload");
        using var agent = AgentProcess.Start(configuration);
        await agent.AwaitLogAsync("mq1: connected", Limit);
        (byte[] Bytes, string Reason)[] odd =
        [
            (Encoding.Latin1.GetBytes("{\n \"gr\u00f6\u00dfe\": 1 }"), "it is not UTF-8, line 2"),
            (Encoding.Latin1.GetBytes("{ \"servers\": { \"m\u00fc\": {} } }"), "it is not UTF-8, line 1"),
            ("{ \"servers\": { \"mq1\": { \"host\": \"h\", \"exchange\": \"\\ud800\" } } }"u8.ToArray(), "servers.mq1.exchange: contains an unpaired surrogate"),
            ("{ \"\\udc00\": 1 }"u8.ToArray(), "the file: contains an unpaired surrogate"),
            ([], "invalid JSON"),
        ];
        foreach ((byte[] bytes, string reason) in odd)
        {
            await File.WriteAllBytesAsync(configuration.FilePath, bytes);
            await agent.AwaitLogAsync(reason, Limit);
        }

        File.Delete(configuration.FilePath);
        using (var mkfifo = Process.Start("mkfifo", [configuration.FilePath]))
        {
            await mkfifo.WaitForExitAsync();
        }

        await agent.AwaitLogAsync("it is a pipe, not a regular file", Limit);
        Assert.Equal(1, CountConnections(agent, "mq1"));
        Assert.DoesNotContain("its forwarder stops", agent.Stderr, StringComparison.Ordinal);
        Assert.Equal(0, await agent.StopAsync());
    }

    private static Task AwaitConnectionsAsync(AgentProcess agent, int times, params string[] servers) =>
        Task.WhenAll(servers.Select(server => Eventually.Gives($"{server} has connected {times} times", times, Limit, () => CountConnections(agent, server))));

    private static int CountConnections(AgentProcess agent, string server) => agent.Stderr.Split($"{server}: connected to").Length - 1;
}
