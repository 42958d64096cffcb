using Quickq.Testing;
using Quickq.Testing.Auditing;

namespace Quickq.Disruption.Tests;

/// <summary>An exchange is missing on one server: its messages wait there, uncharged, and cost nobody else anything.</summary>
[Collection<TwoNodesCollection>]
public sealed class SuspendedExchangeTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private const int Window = 100;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    public async ValueTask InitializeAsync() => await Task.WhenAll(hosts.First.EnsureServingAsync(), hosts.Second.EnsureServingAsync());

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact(Timeout = 240_000)]
    public async Task Its_messages_wait_uncharged_the_others_go_on_and_all_is_delivered_in_order_once_it_is_there()
    {
        using var spool = new TempSpool();
        var first = new[] { await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "satellite"), await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "late", "late") };
        var second = await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, "satellite");
        using var agent = AgentProcess.Start(new AgentConfiguration(spool.Path)
            .WithServer("mq1", hosts.First, hosts.Name, "satellite")
            .WithServer("mq2", hosts.Second, hosts.Name, "satellite", server => server["window"] = Window));
        using var satellite = LineProducer.Start(spool, SsecEvents.All.Take(1000), "satellite", TimeSpan.FromMilliseconds(150));
        using var late = LineProducer.Start(spool, SsecEvents.All.Skip(1000).Take(100), "late", TimeSpan.FromMilliseconds(50));

        var accepted = new[] { await satellite.FinishAsync(), await late.FinishAsync() };
        await spool.AwaitDeliveredAsync(1100, Limit, "mq1");
        await spool.AwaitDeliveredAsync(1000, Limit, "mq2");
        var status = await spool.StatusOfAsync("mq2");
        var waiting = Rows(spool, "late", "mq2");
        var ofOne = (await spool.StatusOfMessageAsync(accepted[1][0].Id)).Single(delivery => delivery.GetProperty("server").GetString() is "mq2");
        var missing = await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, "late", "late");
        await spool.AwaitDeliveredAsync(1100, Limit, "mq2");
        Assert.Equal(0, await agent.StopAsync());

        Assert.Equal("connected", status.GetProperty("connection").GetString());
        Assert.Contains("no exchange 'late'", status.GetProperty("lastError").GetString(), StringComparison.Ordinal);
        Assert.Equal(100, waiting.Count);
        Assert.All(waiting, row => Assert.Equal(("pending", 0L), (row.State, row.Attempts)));
        Assert.Equal("deferred", ofOne.GetProperty("state").GetString());
        Assert.Contains("no exchange 'late'", ofOne.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.All(Rows(spool, "late", "mq2"), row => Assert.Equal(("delivered", 1L), (row.State, row.Attempts)));
        Assert.Equal(0L, spool.Value<long>("SELECT count(*) FROM suspension"));

        // One line for the change, not one for each probe.
        Assert.Equal(2, agent.Stderr.Split("mq2: exchange 'late' is suspended: ").Length);

        // A publish that races with the broker's closing of the channel can cost the connection: then, and only then, something comes twice.
        Audit.Of(spool, accepted)
            .Server("mq1", [.. await first[0].DrainAsync(), .. await first[1].DrainAsync()])
            .Server("mq2", [.. await second.DrainAsync(), .. await missing.DrainAsync()], CountLostConnections(agent), Window)
            .MustBeClean();
    }

    private static int CountLostConnections(AgentProcess agent) => agent.Stderr.Split("were in flight and are sent again").Length - 1;

    private static IReadOnlyList<DeliveryRow> Rows(TempSpool spool, string exchange, string server) => spool.Query<DeliveryRow>(
        """
        SELECT m.id AS Id, d.state AS State, d.attempts AS Attempts, coalesce(d.reason, '') AS Reason
        FROM delivery AS d JOIN message AS m ON m.seq = d.message JOIN server AS s ON s.id = d.server WHERE m.exchange = @exchange AND s.name = @server
        """,
        new { exchange, server });
}
