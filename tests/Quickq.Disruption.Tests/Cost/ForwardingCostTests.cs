using Microsoft.Extensions.Logging.Abstractions;
using Quickq.Agent.Feed;
using Quickq.Agent.Forwarding;
using Quickq.Agent.Ledger;
using Quickq.Agent.Observability;
using Quickq.Agent.Settings;
using Quickq.Agent.Timing;
using Quickq.Agent.Upkeep;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>What forwarding a message allocates in all: feed, lane, client library, answer, ledger. The limit is a quarter above what was counted when it was set.</summary>
[Collection<OneNodeCollection>]
public sealed class ForwardingCostTests(VirtualHost virtualHost) : IClassFixture<VirtualHost>
{
    private const int Warm = 2_000;
    private const int Counted = 8_000;

    // Bytes, counted on 2026-11-25 with bodies of 1 kB and unoptimized code.
    private const long Allocated = 2_889;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    // The same for messages that come one by one, fifty a second; counted on 2026-11-27.
    private const long AllocatedOneByOne = 15_500;
    private const int OneByOne = 250;

    [Fact(Timeout = 180_000)]
    public async Task Forwarding_a_message_allocates_no_more_than_it_did()
    {
        using var scene = await SceneAsync("backlog");
        scene.Writer.AppendMany(Messages(Warm));
        await AwaitDeliveredAsync(scene.Spool, Warm);

        scene.Writer.AppendMany(Messages(Counted));
        long before = GC.GetTotalAllocatedBytes(precise: true);
        await AwaitDeliveredAsync(scene.Spool, Warm + Counted);
        long after = GC.GetTotalAllocatedBytes(precise: true);
        await scene.EndAsync();

        Assert.Equal(Warm + Counted, await scene.Queue.CountAsync());
        CountedCost.RequireAtMost("bytes allocated a message", (after - before) / Counted, Allocated);
    }

    [Fact(Timeout = 180_000)]
    public async Task Forwarding_messages_one_by_one_allocates_no_more_than_it_did()
    {
        using var scene = await SceneAsync("one-by-one");
        await ProduceOneByOneAsync(scene.Writer);
        await AwaitDeliveredAsync(scene.Spool, OneByOne);

        long all = await ProduceOneByOneAsync(scene.Writer);
        await AwaitDeliveredAsync(scene.Spool, 2 * OneByOne);
        await scene.EndAsync();
        long writing = await ProduceOneByOneAsync(scene.Writer);

        Assert.Equal(2 * OneByOne, await scene.Queue.CountAsync());
        CountedCost.RequireAtMost("bytes allocated a message that comes alone", (all - writing) / OneByOne, AllocatedOneByOne);
    }

    /// <summary>Returns what was allocated meanwhile.</summary>
    private static async Task<long> ProduceOneByOneAsync(SpoolWriter writer)
    {
        long before = GC.GetTotalAllocatedBytes(precise: true);
        using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        foreach (OutgoingMessage message in Messages(OneByOne))
        {
            await pace.WaitForNextTickAsync();
            writer.Append(message);
        }

        return GC.GetTotalAllocatedBytes(precise: true) - before;
    }

    private async Task<Scene> SceneAsync(string exchange)
    {
        BrokerQueue queue = await BrokerQueue.DeclareAsync(virtualHost.Node, virtualHost.Name, exchange, $"of-{exchange}");
        var spool = new TempSpool();
        SpoolWriter writer = SpoolWriter.Open(spool.Path);
        var settings = new ServerSettings { Name = "mq1", Hosts = [new HostAndPort(virtualHost.Node.Host, virtualHost.Node.Port)], VirtualHost = virtualHost.Name, Exchange = exchange };
        var ledger = new DeliveryLedger(spool.Path, RetrySchedule.ForRefusals(() => 0), TimeProvider.System, NullLogger.Instance);
        long id = await ledger.RunAsync(connection => ServerRegistry.Register_NeedsTransaction(connection, [settings], ["mq1"], 0)["mq1"]);
        var signal = new SpoolSignal(spool.Path);
        var parts = new ForwarderParts(spool.Path, id, ledger, signal, new LoopLiveness("mq1", TimeProvider.System), TimeProvider.System, () => 0, NullLogger.Instance)
        {
            Expiry = new ExpiryClock(TimeProvider.System, ExpiryClock.SinceBoot, NullLogger.Instance),
            MaxBodyBytes = () => int.MaxValue,
        };
        var stop = new CancellationTokenSource();
        return new Scene(spool, writer, queue, ledger, signal, stop, new Forwarder(settings, parts).RunAsync(stop.Token, CancellationToken.None));
    }

    private static OutgoingMessage[] Messages(int count) => [.. Enumerable.Repeat(new OutgoingMessage { RoutingKey = "geo.goes.g16", Body = new byte[1_000] }, count)];

    private static Task AwaitDeliveredAsync(TempSpool spool, int count) =>
        Eventually.Is($"{count} messages are delivered", Limit, () => spool.Value<long>("SELECT delivered FROM server") >= count);

    private sealed record Scene(TempSpool Spool, SpoolWriter Writer, BrokerQueue Queue, DeliveryLedger Ledger, SpoolSignal Signal, CancellationTokenSource Stop, Task Forwarding) : IDisposable
    {
        public async Task EndAsync()
        {
            await Stop.CancelAsync();
            await Forwarding;
            await Ledger.StopAsync();
        }

        public void Dispose()
        {
            Signal.Dispose();
            Ledger.Dispose();
            Stop.Dispose();
            Writer.Dispose();
            Spool.Dispose();
        }
    }
}
