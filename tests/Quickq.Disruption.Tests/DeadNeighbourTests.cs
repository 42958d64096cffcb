using System.Globalization;
using Quickq.Testing;
using Quickq.Testing.Auditing;

namespace Quickq.Disruption.Tests;

/// <summary>One server is dead: the living one keeps its rate and its latency.</summary>
/// <remarks>
/// Two agents work side by side on one machine, under one load: one knows the living server only, the other has a dead
/// neighbour beside it. What the machine is doing otherwise slows both, so the ratio of the two is what counts.
/// </remarks>
[Collection<TwoNodesCollection>]
public sealed class DeadNeighbourTests(VirtualHostPair hosts, ITestOutputHelper output) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private const int Bulk = 1000;
    private const int Singles = 25;
    private const int Window = 100;

    /// <summary>Noise of one measurement is large on a busy machine; a server that really waits for another fails each time.</summary>
    private const int Attempts = 5;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    public async ValueTask InitializeAsync() => await Task.WhenAll(hosts.First.EnsureServingAsync(), hosts.Second.EnsureServingAsync());

    public ValueTask DisposeAsync() => InitializeAsync();

    [Fact(Timeout = 300_000)]
    public async Task A_server_that_refuses_connections_costs_the_other_neither_rate_nor_latency()
    {
        using var alone = await StartAsync("alone");
        using var besideDead = await StartAsync("beside-refused", configuration => configuration.WithServer("mq2", "127.0.0.1", FreePort.Next(), "/", "satellite"));
        await Eventually.Is("the dead one is known to be unreachable", Limit, async () => (await besideDead.Spool.StatusOfAsync("mq2")).GetProperty("lastError").GetString() is not null);

        await MustKeepPaceAsync(alone, besideDead);

        var dead = await besideDead.Spool.StatusOfAsync("mq2");
        Assert.Equal("reconnecting", dead.GetProperty("connection").GetString());
        Assert.Equal((besideDead.Accepted.Count, 0), (dead.GetProperty("pending").GetInt32(), dead.GetProperty("delivered").GetInt32()));
        await MustBeCleanAsync(alone);
        await MustBeCleanAsync(besideDead);
    }

    [Fact(Timeout = 300_000)]
    public async Task A_server_that_freezes_amid_the_stream_costs_the_other_neither_rate_nor_latency_and_gets_all_when_it_wakes()
    {
        var second = await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, "beside-frozen", "of-beside-frozen");
        using var alone = await StartAsync("alone-too");
        using var besideFrozen = await StartAsync("beside-frozen", configuration =>
            configuration.WithServer("mq2", hosts.Second, hosts.Name, "beside-frozen", server => server["window"] = Window));
        await besideFrozen.AddAsync([SsecEvents.All[0]]);
        await besideFrozen.Spool.AwaitDeliveredAsync(1, Limit, "mq1", "mq2");
        await hosts.Second.PauseAsync();

        await MustKeepPaceAsync(alone, besideFrozen);

        Assert.Equal(1, besideFrozen.Spool.CountDelivered("mq2"));
        hosts.Second.Resume();
        await besideFrozen.Spool.AwaitDeliveredAsync(besideFrozen.Accepted.Count, Limit, "mq2");
        await MustBeCleanAsync(alone);
        await MustBeCleanAsync(besideFrozen, await second.DrainAsync());
    }

    private async Task MustKeepPaceAsync(Side alone, Side beside)
    {
        double best = 0;
        for (var attempt = 0; attempt < Attempts && best < 0.5; attempt++)
        {
            var rates = await Task.WhenAll(MeasureRateAsync(alone), MeasureRateAsync(beside));
            var latencies = await MeasureLatenciesAsync(alone, beside);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"rate alone {rates[0]:N0}/s, beside the dead one {rates[1]:N0}/s; median latency {latencies.Alone:N1} ms and {latencies.Beside:N1} ms"));
            best = Math.Max(best, Math.Min(rates[1] / rates[0], latencies.Alone / latencies.Beside));
        }

        Assert.True(best >= 0.5, $"of {Attempts} measurements the best ratio to a server alone was {best:N2}");
    }

    private static async Task<double> MeasureRateAsync(Side side) =>
        Bulk / (await MeasureAsync(side, [.. SsecEvents.All.Take(Bulk)])).TotalSeconds;

    /// <summary>Adds events; from the acceptance of the first to the moment when the ledger has the last as delivered.</summary>
    private static async Task<TimeSpan> MeasureAsync(Side side, IReadOnlyList<SsecEvent> events)
    {
        var number = side.Accepted.Count + 1;

        // Watched from before the messages are there, so that the end of the command line's process does not count.
        var seen = Eventually.Closely("the living server has what was added", Limit, () => side.Spool.CountDelivered("mq1") == number - 1 + events.Count);
        var adding = side.AddAsync(events);
        await seen;
        var now = TimeProvider.System.GetUtcNow();
        await adding;
        var accepted = side.Spool.Value<long>("SELECT created_at FROM message WHERE seq = @number", new { number });
        return now - DateTimeOffset.UnixEpoch.AddMicroseconds(accepted);
    }

    /// <summary>One message at a time, by turns on each side: from acceptance to the ledger, in milliseconds, the median.</summary>
    private static async Task<(double Alone, double Beside)> MeasureLatenciesAsync(Side alone, Side beside)
    {
        var (ofAlone, ofBeside) = (new List<double>(), new List<double>());
        foreach (var item in SsecEvents.All.Take(Singles))
        {
            foreach (var (side, latencies) in new[] { (alone, ofAlone), (beside, ofBeside) })
            {
                latencies.Add((await MeasureAsync(side, [item])).TotalMilliseconds);
            }
        }

        return (Median(ofAlone), Median(ofBeside));
    }

    private static double Median(IEnumerable<double> values) => values.Order().ElementAt(Singles / 2);

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
