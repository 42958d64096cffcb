using Quickq.Testing;
using Quickq.Testing.Auditing;

namespace Quickq.Disruption.Tests;

/// <summary>One server is dead: the living one gets everything meanwhile, a crowd of messages as well as each single one. How fast is the matter of <c>tests/bench/run.sh fleet</c>.</summary>
[Collection<TwoNodesCollection>]
public sealed class DeadNeighbourTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private const int Bulk = 1000;
    private const int Singles = 25;
    private const int Window = 100;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    public async ValueTask InitializeAsync() => await Task.WhenAll(hosts.First.EnsureServingAsync(), hosts.Second.EnsureServingAsync());

    public ValueTask DisposeAsync() => InitializeAsync();

    [Fact(Timeout = 300_000)]
    public async Task While_a_server_refuses_connections_the_other_gets_everything()
    {
        using var besideDead = await StartAsync("beside-refused", configuration => configuration.WithServer("mq2", "127.0.0.1", FreePort.Next(), "/", "satellite"));
        await Eventually.Is("the dead one is known to be unreachable", Limit, async () => (await besideDead.Spool.StatusOfAsync("mq2")).GetProperty("lastError").GetString() is not null);

        await MustBeSuppliedAsync(besideDead);

        var dead = await besideDead.Spool.StatusOfAsync("mq2");
        Assert.Equal("reconnecting", dead.GetProperty("connection").GetString());
        Assert.Equal((besideDead.Accepted.Count, 0), (dead.GetProperty("pending").GetInt32(), dead.GetProperty("delivered").GetInt32()));
        await MustBeCleanAsync(besideDead);
    }

    [Fact(Timeout = 300_000)]
    public async Task While_a_server_is_frozen_the_other_gets_everything_and_it_gets_all_when_it_wakes()
    {
        var second = await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, "beside-frozen", "of-beside-frozen");
        using var besideFrozen = await StartAsync("beside-frozen", configuration =>
            configuration.WithServer("mq2", hosts.Second, hosts.Name, "beside-frozen", server => server["window"] = Window));
        await besideFrozen.AddAsync([SsecEvents.All[0]]);
        await besideFrozen.Spool.AwaitDeliveredAsync(1, Limit, "mq1", "mq2");
        await hosts.Second.PauseAsync();

        await MustBeSuppliedAsync(besideFrozen);

        Assert.Equal(1, besideFrozen.Spool.CountDelivered("mq2"));
        hosts.Second.Resume();
        await besideFrozen.Spool.AwaitDeliveredAsync(besideFrozen.Accepted.Count, Limit, "mq2");
        await MustBeCleanAsync(besideFrozen, await second.DrainAsync());
    }

    private static async Task MustBeSuppliedAsync(Side side)
    {
        await side.AddAsync(SsecEvents.All.Take(Bulk));
        await side.Spool.AwaitDeliveredAsync(side.Accepted.Count, Limit, "mq1");
        foreach (SsecEvent single in SsecEvents.All.Take(Singles))
        {
            await side.AddAsync([single]);
            await side.Spool.AwaitDeliveredAsync(side.Accepted.Count, Limit, "mq1");
        }
    }

    private static async Task MustBeCleanAsync(Side side, IReadOnlyList<QueuedMessage>? second = null)
    {
        Assert.Equal(0, await side.Agent.StopAsync());
        var audit = Audit.Of(side.Spool, side.Accepted).Server("mq1", await side.Queue.DrainAsync());
        if (second is not null)
        {
            // The frozen one was given up with a window of messages out, perhaps more than once.
            audit.Server("mq2", second, side.Agent.Stderr.Split("were in flight and are sent again").Length - 1, Window);
        }

        audit.MustBeClean();
    }

    private async Task<Side> StartAsync(string exchange, Func<AgentConfiguration, AgentConfiguration>? adjust = null)
    {
        var spool = new TempSpool();
        var queue = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, exchange, $"of-{exchange}");
        var configuration = new AgentConfiguration(spool.Path).WithServer("mq1", hosts.First, hosts.Name, exchange);
        var side = new Side(spool, queue, AgentProcess.Start(adjust?.Invoke(configuration) ?? configuration), exchange);
        await side.Agent.AwaitLogAsync("mq1: connected", Limit);
        return side;
    }

    private sealed record Side(TempSpool Spool, BrokerQueue Queue, AgentProcess Agent, string Exchange) : IDisposable
    {
        public List<AcceptedMessage> Accepted { get; } = [];

        public async Task AddAsync(IEnumerable<SsecEvent> events)
        {
            using var producer = LineProducer.Start(Spool, events, Exchange, TimeSpan.Zero);
            Accepted.AddRange(await producer.FinishAsync());
        }

        public void Dispose()
        {
            Agent.Dispose();
            Spool.Dispose();
        }
    }
}
