using System.Diagnostics;
using System.Globalization;
using Quickq.Testing;
using Quickq.Testing.Network;

namespace Quickq.Disruption.Tests;

/// <summary>The cable to one server is pulled without a word, or loses packets, amid a stream. Agent and nodes are in network namespaces of their own.</summary>
[Collection<CablesAndNamesCollection>]
public sealed class CutCableTests(CablesAndNames here, ITestOutputHelper output) : IAsyncLifetime
{
    private const int Longest = 300_000;
    private const string DeadLink = "the link is dead: nothing sent was acknowledged for 10 s";

    /// <summary>Promised is 20 s; the rest is for a machine that is busy with other things.</summary>
    private static readonly TimeSpan Noticed = TimeSpan.FromSeconds(25);

    private readonly OwnNetwork _network = here.Network;
    private readonly string _virtualHost = $"v{Guid.NewGuid():N}"[..10];

    public async ValueTask InitializeAsync() => await _network.CreateVirtualHostAsync(_virtualHost);

    public async ValueTask DisposeAsync()
    {
        await _network.ToSecond.HealAsync();
        await _network.Second.CtlAsync("set_vm_memory_high_watermark", "0.6");
    }

    [Fact(Timeout = Longest)]
    public async Task A_cable_pulled_amid_the_stream_is_noticed_within_twenty_seconds_and_costs_the_other_server_nothing()
    {
        await using var scene = await OpenAsync();
        var before = Count(scene);
        await _network.ToSecond.CutAsync();
        var clock = Stopwatch.StartNew();

        var reason = await scene.AwaitConnectionAsync("reconnecting");
        var noticed = clock.Elapsed;
        var after = Count(scene);
        var kept = (double)(after.Delivered - before.Delivered) / (after.Accepted - before.Accepted);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"noticed after {noticed.TotalSeconds:N1} s: {reason}; meanwhile mq1 got {kept:P1} of {after.Accepted - before.Accepted} accepted messages"));
        await _network.ToSecond.HealAsync();
        await scene.AwaitFlowAsync();
        await scene.MustEndCleanAsync();

        Assert.InRange(noticed, TimeSpan.FromSeconds(1), Noticed);
        Assert.Equal(DeadLink, reason);
        Assert.InRange(kept, 0.75, 1.25); // a server that waits for the other gets nothing; the rest is for the moment at which a busy machine counts
        Assert.Equal(1, scene.CountLogged("mq2: connection to"));
        Assert.Equal(0, scene.CountLogged("mq1: connection to"));
    }

    [Fact(Timeout = Longest)]
    public async Task A_cable_pulled_while_nothing_is_sent_is_noticed_within_twenty_seconds()
    {
        await using var scene = await OpenAsync();
        await scene.QuietAsync();
        await _network.ToSecond.CutAsync();
        var clock = Stopwatch.StartNew();

        var reason = await scene.AwaitConnectionAsync("reconnecting");
        var noticed = clock.Elapsed;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"noticed after {noticed.TotalSeconds:N1} s: {reason}"));
        await _network.ToSecond.HealAsync();
        scene.Produce();
        await scene.AwaitFlowAsync();
        await scene.MustEndCleanAsync();

        Assert.InRange(noticed, TimeSpan.FromSeconds(1), Noticed);
        Assert.Equal(DeadLink, reason);
    }

    [Fact(Timeout = Longest)]
    public async Task A_cable_pulled_while_the_broker_blocks_and_reads_nothing_is_noticed_within_twenty_seconds()
    {
        await using var scene = await OpenAsync();
        await _network.Second.CtlAsync("set_vm_memory_high_watermark", "0.0001");
        await scene.AwaitConnectionAsync("blocked");
        await _network.ToSecond.CutAsync();
        var clock = Stopwatch.StartNew();

        // Nothing that is sent waits for an acknowledgement of a broker that reads nothing: its sign of life is missing.
        var reason = await scene.AwaitConnectionAsync("reconnecting");
        var noticed = clock.Elapsed;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"noticed after {noticed.TotalSeconds:N1} s: {reason}"));
        await _network.Second.CtlAsync("set_vm_memory_high_watermark", "0.6");
        await _network.ToSecond.HealAsync();
        await scene.AwaitFlowAsync();
        await scene.MustEndCleanAsync();

        Assert.InRange(noticed, TimeSpan.FromSeconds(1), Noticed);
        Assert.Equal("no sign of life from the broker for over 18 s", reason);
        Assert.Equal(1, scene.CountLogged("mq2: connection to"));
    }

    [Fact(Timeout = Longest)]
    public async Task A_cable_pulled_for_some_seconds_costs_nothing_but_time()
    {
        await using var scene = await OpenAsync();
        await _network.ToSecond.CutAsync();
        await scene.AwaitBacklogAsync();
        await _network.ToSecond.HealAsync();
        await scene.AwaitFlowAsync();
        await scene.MustEndCleanAsync();

        Assert.Equal(0, scene.CountLogged("mq2: connection to"));
    }

    [Fact(Timeout = Longest)]
    public async Task With_thirty_of_a_hundred_packets_lost_each_way_messages_still_arrive()
    {
        await using var scene = await OpenAsync();
        await _network.ToSecond.LoseAsync(percent: 30);
        await scene.AwaitFlowAsync(more: 50);
        await _network.ToSecond.HealAsync();
        await scene.AwaitFlowAsync();
        await scene.MustEndCleanAsync();
    }

    private Task<FaultScene> OpenAsync() =>
        FaultScene.OpenAsync((_network.First, _virtualHost), (_network.Second, _virtualHost), inside: _network.Here);

    private static (long Accepted, long Delivered) Count(FaultScene scene) =>
        (scene.Spool.Value<long>("SELECT max(seq) FROM message"), scene.Spool.CountDelivered("mq1"));
}
