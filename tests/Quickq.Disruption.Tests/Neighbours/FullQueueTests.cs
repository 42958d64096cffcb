using System.Diagnostics;
using Quickq.Testing;

namespace Quickq.Disruption.Tests.Neighbours;

/// <summary>A queue that is full (reject-publish) beside others behind the same exchange.</summary>
[Collection<TwoNodesCollection>]
public sealed class FullQueueTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>
{
    private static readonly Dictionary<string, object?> Full = new(StringComparer.Ordinal) { ["x-max-length"] = 5, ["x-overflow"] = "reject-publish" };

    [Fact(Timeout = 240_000)]
    public async Task A_backlog_for_it_costs_one_publish_for_each_back_off_and_the_others_nothing()
    {
        var backlog = Environment.GetEnvironmentVariable("QUICKQ_LONG") is { Length: > 0 } ? 1_000_000 : 100_000;
        using var scene = new NeighbourScene(hosts);
        await scene.DeclareAsync("full", "a.#", Full);
        await scene.DeclareAsync("ok", "b.#");

        // It gets a copy of whatever is published for the full one.
        var seen = await scene.DeclareAsync("seen", "a.#");
        await scene.RegisterAsync();
        scene.Add("a.x", backlog);
        scene.Add("b.x", 10);

        await scene.StartAsync();
        var since = Stopwatch.StartNew();
        await Eventually.Gives("the ten for the other queue arrive", 10L, TimeSpan.FromSeconds(5), () => scene.CountDelivered("b.x"));
        var untouched = scene.Spool.Value<long>("SELECT count(*) FROM delivery WHERE state = 'pending' AND attempts = 0");
        await Eventually.Is("some probes were made", NeighbourScene.Limit, () => scene.Rows("a.x").Sum(row => row.Attempts) >= 8);
        since.Stop();
        var charged = scene.Rows("a.x").Count(row => row.State is not "delivered" && row.Attempts > 0);
        Assert.Equal(0, await scene.Agent!.StopAsync());

        Assert.InRange(untouched, backlog - 100, backlog);
        Assert.InRange(charged, 1, 20);
        Assert.InRange(await seen.CountAsync(), 5, 1_000 + 100);
        Assert.Equal(0, scene.Spool.Value<long>("SELECT count(*) FROM suspension"));
        Assert.Contains("routing key 'a.x' of exchange", scene.Log, StringComparison.Ordinal);
    }

    [Fact(Timeout = 240_000)]
    public async Task Mixed_with_others_it_holds_up_none_of_them_and_is_served_in_order_once_there_is_room()
    {
        using var scene = new NeighbourScene(hosts);
        var full = await scene.DeclareAsync("full", "a.#", Full);
        var ok = await scene.DeclareAsync("ok", "b.#");
        await scene.StartAsync();
        for (var round = 0; round < 60; round++)
        {
            scene.Add("a.x", 9);
            scene.Add("b.x", 1);
        }

        await Eventually.Gives("all for the other queue arrive", 60L, TimeSpan.FromSeconds(20), () => scene.CountDelivered("b.x"));
        var first = await full.DrainAsync();
        await hosts.First.CtlAsync("delete_queue", "--vhost", hosts.Name, full.Name);
        var roomy = await scene.DeclareAsync("roomy", "a.#");
        await scene.AwaitDeliveredAsync(600);
        Assert.Equal(0, await scene.Agent!.StopAsync());

        Assert.Equal(60, await ok.CountAsync());
        Assert.NotEmpty(first);
        var charged = scene.Rows("a.x").Where(row => row.Attempts > 1).Select(row => row.Id).ToHashSet(StringComparer.Ordinal);
        string[] inOrder = [.. scene.Rows("a.x").Select(row => row.Id).Where(id => !charged.Contains(id))];
        string[] received = [.. (await roomy.DrainAsync()).Select(message => message.MessageId!).Where(id => !charged.Contains(id))];
        Assert.Equal(inOrder.Where(received.Contains), received);
    }
}
