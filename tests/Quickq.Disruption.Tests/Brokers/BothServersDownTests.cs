using Quickq.Testing;
using Quickq.Testing.Auditing;

namespace Quickq.Disruption.Tests;

/// <summary>No broker is there when everything starts.</summary>
[Collection<TwoNodesCollection>]
public sealed class BothServersDownTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private const int Window = 100;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    public async ValueTask InitializeAsync() => await Task.WhenAll(hosts.First.EnsureServingAsync(), hosts.Second.EnsureServingAsync());

    public ValueTask DisposeAsync() => InitializeAsync();

    [Fact(Timeout = 300_000)]
    public async Task Messages_are_accepted_status_says_why_they_wait_and_all_is_delivered_once_the_servers_come_without_a_restart()
    {
        using var spool = new TempSpool();
        var first = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "satellite");
        var second = await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, "satellite");
        hosts.First.Kill();
        hosts.Second.Kill();

        using var early = LineProducer.Start(spool, SsecEvents.All.Take(200), "satellite", TimeSpan.Zero);
        var beforeTheAgent = await early.FinishAsync();
        using var agent = AgentProcess.Start(new AgentConfiguration(spool.Path)
            .WithServer("mq1", hosts.First, hosts.Name, "satellite", server => server["window"] = Window)
            .WithServer("mq2", hosts.Second, hosts.Name, "satellite", server => server["window"] = Window));
        await spool.AwaitServersAsync(Limit);
        foreach (var (server, node) in new[] { ("mq1", hosts.First), ("mq2", hosts.Second) })
        {
            await Eventually.Is($"status says why {server} gets nothing", Limit, () => SaysRefusedAsync(spool, server, node.Port));
        }

        using var late = LineProducer.Start(spool, SsecEvents.All.Skip(200).Take(200), "satellite", TimeSpan.Zero);
        var besideTheAgent = await late.FinishAsync();
        await Eventually.Gives("status counts all 400 as pending", 400L, Limit, async () => (await spool.StatusOfAsync("mq1")).GetProperty("pending").GetInt64());
        hosts.First.BeginStart();
        hosts.Second.BeginStart();
        await spool.AwaitDeliveredAsync(400, Limit, "mq1", "mq2");

        Assert.Equal("connected", (await spool.StatusOfAsync("mq1")).GetProperty("connection").GetString());
        Assert.False(agent.HasExited, "the agent is still the one that was started");
        Assert.Equal(0, await agent.StopAsync());
        Audit.Of(spool, [.. beforeTheAgent, .. besideTheAgent])
            .Server("mq1", await first.DrainAsync())
            .Server("mq2", await second.DrainAsync())
            .MustBeClean();
    }

    private static async Task<bool> SaysRefusedAsync(TempSpool spool, string server, int port)
    {
        var status = await spool.StatusOfAsync(server);
        return status.GetProperty("connection").GetString() is "reconnecting"
            && status.GetProperty("lastError").GetString() is { } error
            && error.Contains($"127.0.0.1:{port}", StringComparison.Ordinal)
            && error.Contains("refused", StringComparison.OrdinalIgnoreCase);
    }
}
