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

    [Fact(Timeout = 180_000)]
    public async Task Forwarding_a_message_allocates_no_more_than_it_did()
    {
        BrokerQueue queue = await BrokerQueue.DeclareAsync(virtualHost.Node, virtualHost.Name, "satellite");
        using var spool = new TempSpool();
        using SpoolWriter writer = SpoolWriter.Open(spool.Path);
        var settings = new ServerSettings { Name = "mq1", Hosts = [new HostAndPort(virtualHost.Node.Host, virtualHost.Node.Port)], VirtualHost = virtualHost.Name, Exchange = "satellite" };
        using var ledger = new DeliveryLedger(spool.Path, RetrySchedule.ForRefusals(() => 0), TimeProvider.System, NullLogger.Instance);
        long id = await ledger.RunAsync(connection => ServerRegistry.Register_NeedsTransaction(connection, [settings], ["mq1"], 0)["mq1"]);
        using var signal = new SpoolSignal(spool.Path);
        using var stop = new CancellationTokenSource();
        var parts = new ForwarderParts(spool.Path, id, ledger, signal, new Pulse("mq1", TimeProvider.System), TimeProvider.System, () => 0, NullLogger.Instance)
        {
            Expiry = new ExpiryClock(TimeProvider.System, ExpiryClock.SinceBoot, NullLogger.Instance),
            MaxBodyBytes = () => int.MaxValue,
        };
        Task forwarding = new Forwarder(settings, parts).RunAsync(stop.Token, CancellationToken.None);
        writer.AppendMany(Messages(Warm));
        await AwaitDeliveredAsync(spool, Warm);

        writer.AppendMany(Messages(Counted));
        long before = GC.GetTotalAllocatedBytes(precise: true);
        await AwaitDeliveredAsync(spool, Warm + Counted);
        long after = GC.GetTotalAllocatedBytes(precise: true);
        await stop.CancelAsync();
        await forwarding;
        await ledger.StopAsync();

        Assert.Equal(Warm + Counted, await queue.CountAsync());
        CountedCost.RequireAtMost("bytes allocated a message", (after - before) / Counted, Allocated);
    }

    private static OutgoingMessage[] Messages(int count) => [.. Enumerable.Repeat(new OutgoingMessage { RoutingKey = "geo.goes.g16", Body = new byte[1_000] }, count)];

    private static Task AwaitDeliveredAsync(TempSpool spool, int count) =>
        Eventually.Is($"{count} messages are delivered", Limit, () => spool.Value<long>("SELECT delivered FROM server") >= count);
}
