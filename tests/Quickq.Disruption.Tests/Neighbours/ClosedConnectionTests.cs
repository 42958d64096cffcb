using Quickq.Testing;
using Quickq.Testing.Auditing;

namespace Quickq.Disruption.Tests.Neighbours;

/// <summary>A message over which the broker closes the whole connection: it is found and named, and nobody else is charged.</summary>
[Collection<TwoNodesCollection>]
public sealed class ClosedConnectionTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>
{
    private const int Longest = 240_000;

    // Its second word does not decode, and RabbitMQ's channel fails over it.
    private const string Poison = "amq.rabbitmq.reply-to.abc.def";

    [Theory(Timeout = Longest)]
    [InlineData(100)]
    [InlineData(1_000)]
    public async Task It_is_rejected_with_the_broker_s_words_and_everything_around_it_is_delivered_uncharged(int window)
    {
        using var scene = new NeighbourScene(hosts);
        var queue = await scene.DeclareAsync("all", "#");
        await scene.RegisterAsync();
        scene.Add("before", 900);
        (await scene.Cli.RunAsync("add", "-x", "", "-t", Poison, "x")).MustSucceed();
        scene.Add("behind", 900);

        await scene.StartAsync(server => server["window"] = window);
        await scene.AwaitDeliveredAsync(1_800);
        await Eventually.Is("the message is rejected", NeighbourScene.Limit, () => scene.Rows(Poison) is [{ State: "rejected" }]);
        var found = scene.Rows(Poison)[0];
        Assert.Equal(0, await scene.Agent!.StopAsync());

        Assert.Contains("INTERNAL_ERROR", found.Reason, StringComparison.Ordinal);
        Assert.Equal(2, found.Attempts);
        Assert.All([.. scene.Rows("before"), .. scene.Rows("behind")], row => Assert.Equal(1, row.Attempts));
        Assert.InRange(scene.CountLogged("mq1: connected"), 2, 6);
        Assert.InRange(QueueAudit.CountRepeats(await queue.DrainAsync()), 0, 3 * window);
    }

    [Fact(Timeout = Longest)]
    public async Task A_stream_beside_it_waits_for_seconds_only()
    {
        using var scene = new NeighbourScene(hosts);
        await scene.DeclareAsync("all", "#");
        await scene.StartAsync();
        scene.Add("stream", 10);
        await scene.AwaitDeliveredAsync(10);

        (await scene.Cli.RunAsync("add", "-x", "", "-t", Poison, "x")).MustSucceed();
        scene.Add("stream", 500);

        await scene.AwaitDeliveredAsync(510, TimeSpan.FromSeconds(30));
        await Eventually.Is("the message is rejected", NeighbourScene.Limit, () => scene.Rows(Poison) is [{ State: "rejected" }]);
        Assert.Equal(0, await scene.Agent!.StopAsync());
    }
}
