using Quickq.Testing;
using Quickq.Testing.Network;

namespace Quickq.Disruption.Tests;

/// <summary>The way to one server is long, stalls, or breaks in the middle of a frame, amid a stream.</summary>
[Collection<TwoNodesCollection>]
public sealed class SlowLinkTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private const int Longest = 300_000;
    private const int Resets = 5;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    public async ValueTask InitializeAsync() => await Task.WhenAll(hosts.First.EnsureServingAsync(), hosts.Second.EnsureServingAsync());

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact(Timeout = Longest)]
    public async Task Half_a_second_each_way_costs_no_connection_and_repeats_nothing()
    {
        await using var link = new BrokerLink(hosts.Second) { Delay = TimeSpan.FromMilliseconds(500) };
        await using var scene = await OpenAsync(link);
        await scene.AwaitFlowAsync(more: 300);
        await scene.MustEndCleanAsync();

        Assert.Equal(0, scene.CountLogged("mq2: connection to"));
    }

    [Fact(Timeout = Longest)]
    public async Task Connections_reset_in_the_middle_of_a_frame_lose_nothing()
    {
        await using var link = new BrokerLink(hosts.Second);
        await using var scene = await OpenAsync(link);
        for (var reset = 1; reset <= Resets; reset++)
        {
            // A message takes some 1,200 bytes in three frames: nearly every number ends in the middle of one.
            link.ResetAfter(Some.Number(5_000, 20_000));
            await Eventually.Gives("the link has reset the connection", reset, Limit, () => link.Resets);
            await scene.AwaitFlowAsync(more: 10);
        }

        await scene.MustEndCleanAsync();
        Assert.InRange(scene.CountLogged("mq2: connection to"), Resets, 2 * Resets);
    }

    [Fact(Timeout = Longest)]
    public async Task A_link_that_stalls_both_ways_for_a_while_costs_nothing_but_time()
    {
        await using var link = new BrokerLink(hosts.Second);
        await using var scene = await OpenAsync(link);
        link.Stall();
        await scene.AwaitBacklogAsync();
        link.Release();
        await scene.AwaitFlowAsync();
        await scene.MustEndCleanAsync();

        Assert.Equal(0, scene.CountLogged("mq2: connection to"));
    }

    [Fact(Timeout = Longest)]
    public async Task A_link_that_stalls_both_ways_for_good_is_given_up_by_its_missing_heartbeats()
    {
        await using var link = new BrokerLink(hosts.Second);
        await using var scene = await OpenAsync(link, heartbeat: "1s");
        link.Stall();

        // Both kernels acknowledge everything: only the broker's own sign of life is missing.
        await scene.AwaitConnectionAsync("reconnecting", "no sign of life from the broker for over 2 s");
        link.Release();
        await scene.AwaitFlowAsync();
        await scene.MustEndCleanAsync();
    }

    private Task<FaultScene> OpenAsync(BrokerLink link, string heartbeat = "10s") => FaultScene.OpenAsync(hosts, server =>
    {
        server["port"] = link.Port;
        server["heartbeat"] = heartbeat;
    });
}
