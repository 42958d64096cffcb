using System.Diagnostics;
using Quickq.Testing;
using Quickq.Testing.Auditing;

namespace Quickq.Disruption.Tests.Neighbours;

/// <summary>Several exchanges at one server: during an alarm, and with fewer channels than exchanges.</summary>
[Collection<TwoNodesCollection>]
public sealed class ManyExchangesTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    /// <summary>More than the opening of a channel may take.</summary>
    private static readonly TimeSpan LongAlarm = TimeSpan.FromSeconds(12);

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync() => await hosts.First.EnsureServingAsync();

    [Fact(Timeout = 240_000)]
    public async Task An_alarm_while_several_wait_is_shown_as_blocked_and_costs_no_connection()
    {
        using var scene = new NeighbourScene(hosts);
        string[] exchanges = [.. Enumerable.Range(0, 4).Select(number => $"{scene.Exchange}-{number}")];
        foreach (var exchange in exchanges)
        {
            await scene.DeclareAsync(exchange, "#", exchange: exchange);
        }

        await scene.StartAsync();
        (await scene.Cli.RunAsync("pause", "mq1")).MustSucceed();
        Array.ForEach(exchanges, exchange => scene.Add("k", 30, exchange));
        try
        {
            await scene.Node.CtlAsync("set_vm_memory_high_watermark", "0.0001");
            (await scene.Cli.RunAsync("resume", "mq1")).MustSucceed();
            await AwaitStateAsync(scene, "blocked");
            var since = Stopwatch.StartNew();
            await Eventually.Is("the alarm lasts", NeighbourScene.Limit, () => since.Elapsed > LongAlarm);
            await AwaitStateAsync(scene, "blocked");
        }
        finally
        {
            await scene.Node.CtlAsync("set_vm_memory_high_watermark", "0.6");
        }

        await scene.AwaitDeliveredAsync(120);
        Assert.Equal(0, await scene.Agent!.StopAsync());
        Assert.Equal(1, scene.CountLogged("mq1: connected"));
        Assert.Equal(0, scene.CountLogged("mq1: connection to"));
    }

    [Theory(Timeout = 240_000)]
    [InlineData(1)]
    [InlineData(4)]
    public async Task Fewer_channels_than_exchanges_are_shared_and_cost_at_most_one_connection(int channels)
    {
        const int messages = 240;
        using var scene = new NeighbourScene(hosts);
        var user = $"u{Some.Word()}";
        await scene.Node.CtlAsync("add_user", user, "secret");
        await scene.Node.CtlAsync("set_permissions", "--vhost", hosts.Name, user, ".*", ".*", ".*");
        await scene.Node.CtlAsync("set_user_limits", user, $$"""{"max-channels":{{channels}}}""");
        string[] exchanges = [.. Enumerable.Range(0, 8).Select(number => $"{scene.Exchange}-{number}")];
        var queues = new List<BrokerQueue>();
        foreach (var exchange in exchanges)
        {
            queues.Add(await scene.DeclareAsync(exchange, "#", exchange: exchange));
        }

        await scene.StartAsync(server => (server["user"], server["password"]) = (user, "secret"));
        for (var round = 0; round < messages / 8; round++)
        {
            Array.ForEach(exchanges, exchange => scene.Add("k", 1, exchange));
        }

        await scene.AwaitDeliveredAsync(messages, TimeSpan.FromSeconds(40));
        Assert.Equal(0, await scene.Agent!.StopAsync());

        Assert.InRange(scene.CountLogged("mq1: connected"), 1, 2);
        Assert.Contains($"no more than {channels} channels", scene.Log, StringComparison.Ordinal);
        var repeats = 0;
        foreach (var queue in queues)
        {
            repeats += QueueAudit.CountRepeats(await queue.DrainAsync());
        }

        Assert.InRange(repeats, 0, messages);
        Assert.Equal(0, scene.Spool.Value<long>("SELECT count(*) FROM delivery WHERE attempts <> 1"));
    }

    private static Task AwaitStateAsync(NeighbourScene scene, string state) => Eventually.Gives(
        $"mq1 is {state}", state, NeighbourScene.Limit, async () => (await scene.Spool.StatusOfAsync("mq1")).GetProperty("connection").GetString());
}
