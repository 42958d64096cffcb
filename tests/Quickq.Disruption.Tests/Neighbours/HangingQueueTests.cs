using Quickq.Testing;
using Quickq.Testing.Auditing;

namespace Quickq.Disruption.Tests.Neighbours;

/// <summary>A queue that takes messages and confirms none, as a quorum queue does without its majority, beside others behind the same exchange.</summary>
[Collection<TwoNodesCollection>]
public sealed class HangingQueueTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>
{
    private const int Others = 100;

    [Fact(Timeout = 300_000)]
    public async Task More_than_a_window_for_it_stops_nobody_is_deferred_and_a_late_confirm_settles_it()
    {
        const int hung = 200;
        using var scene = new NeighbourScene(hosts);
        var queue = await scene.DeclareAsync("hung", "hung.#");
        await scene.DeclareAsync("ok", "ok.#");
        await HangAsync("suspend", queue);
        try
        {
            await scene.RegisterAsync();
            scene.Add("hung.x", hung);
            scene.Add("ok.x", Others);
            await scene.StartAsync(server => server["window"] = 100);

            await Eventually.Gives("the others arrive", (long)Others, TimeSpan.FromSeconds(20), () => scene.CountDelivered("ok.x"));
            await Eventually.Is("what is out is deferred", NeighbourScene.Limit, () => scene.Rows("hung.x").Count(row => row.State is "deferred") >= 100);
        }
        finally
        {
            await HangAsync("resume", queue);
        }

        await scene.AwaitDeliveredAsync(hung + Others);
        Assert.Equal(0, await scene.Agent!.StopAsync());

        Assert.Equal(1, scene.CountLogged("mq1: connected"));
        Assert.Equal(0, scene.CountLogged("mq1: connection to"));
        Assert.InRange(QueueAudit.CountRepeats(await queue.DrainAsync()), 0, 30);
    }

    [Fact(Timeout = 300_000)]
    public async Task Where_the_broker_stops_reading_for_it_the_others_go_on_after_one_new_connection()
    {
        using var scene = new NeighbourScene(hosts);
        var queue = await scene.DeclareAsync("hung", "hung.#");
        await scene.DeclareAsync("ok", "ok.#");
        await HangAsync("suspend", queue);
        try
        {
            await scene.RegisterAsync();
            scene.Add("hung.x", 1_500);
            scene.Add("ok.x", Others);
            await scene.StartAsync();

            await Eventually.Gives("the others arrive", (long)Others, TimeSpan.FromSeconds(45), () => scene.CountDelivered("ok.x"));
        }
        finally
        {
            await HangAsync("resume", queue);
        }

        await scene.AwaitDeliveredAsync(1_500 + Others);
        Assert.Equal(0, await scene.Agent!.StopAsync());
        Assert.InRange(scene.CountLogged("mq1: connected"), 1, 2);
    }

    private Task HangAsync(string what, BrokerQueue queue) => hosts.First.CtlAsync(
        "eval", $"{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"{hosts.Name}\">>, queue, <<\"{queue.Name}\">>)), sys:{what}(amqqueue:get_pid(Q)).");
}
