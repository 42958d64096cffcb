using Quickq.Testing;
using Quickq.Testing.Auditing;

namespace Quickq.Disruption.Tests;

/// <summary>Confirms that do not come: never, not for one message, not before an alarm ends. The agent's clock runs faster, all else is real.</summary>
[Collection<TwoNodesCollection>]
public sealed class OverdueConfirmTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private const int Longest = 300_000;
    private const int Window = 60;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);
    private readonly string _exchange = $"overdue-{Some.Word()}";

    public async ValueTask InitializeAsync() => await Task.WhenAll(hosts.First.EnsureServingAsync(), hosts.Second.EnsureServingAsync());

    public ValueTask DisposeAsync() => InitializeAsync();

    [Fact(Timeout = Longest)]
    public async Task Where_no_confirm_ever_comes_nothing_counts_as_delivered_and_all_is_sent_again()
    {
        using var spool = new TempSpool();
        var queue = await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, _exchange, _exchange);
        await using var agent = await StartAsync(spool);
        await HangAsync(queue.Name);

        var accepted = await AddAsync(spool, 20);
        await Eventually.Is("all of them were deferred", Limit, () => spool.Value<long>("SELECT count(*) FROM delivery WHERE attempts > 0") == 20);
        var delivered = spool.CountDelivered("mq2");
        var reasons = spool.Query<string>("SELECT DISTINCT reason FROM delivery WHERE state = 'deferred'");
        var held = !agent.Log.Contains("lost:", StringComparison.Ordinal);

        // What hung in the queue's process goes with it.
        hosts.Second.Kill();
        hosts.Second.BeginStart();
        await spool.AwaitDeliveredAsync(20, Limit, "mq2");
        await agent.StopAsync();

        Assert.Equal(0, delivered);
        Assert.True(held, "the connection was kept: the broker answered otherwise");
        Assert.All(reasons, reason => Assert.Contains("no confirm came for it", reason, StringComparison.Ordinal));
        Audit.Of(spool, accepted).Server("mq2", await queue.DrainAsync(), CountSentAgain(agent) + 1, Window, byKey: true).MustBeClean();
    }

    [Fact(Timeout = Longest)]
    public async Task One_message_without_a_confirm_is_deferred_and_holds_up_nobody()
    {
        using var spool = new TempSpool();
        var queue = await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, _exchange, _exchange, "#");
        var hung = await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, _exchange, $"hung-{_exchange}", "hung.#");
        await using var agent = await StartAsync(spool);
        await HangAsync(hung.Name);

        var id = (await new SpoolCommand(spool).RunAsync("add", "-t", "hung.1", "-x", _exchange, "--content-type", "application/json", "waits")).MustSucceed().Lines[0];
        var one = new AcceptedMessage(id, _exchange, "hung.1", "waits"u8.ToArray());
        using var producer = SteadyProducer.Start(spool, _exchange, TimeSpan.FromMilliseconds(40));
        await Eventually.Is("the one message is deferred", Limit, () =>
            spool.Value<string>("SELECT coalesce(reason, '') FROM delivery WHERE message = 1").Contains("no confirm came for it, although others were confirmed", StringComparison.Ordinal));
        var others = spool.CountDelivered("mq2");
        await hosts.Second.CtlAsync("eval", Call("resume", hung.Name));
        var accepted = await producer.FinishAsync();
        await spool.AwaitDeliveredAsync(accepted.Count + 1, Limit, "mq2");
        await agent.StopAsync();

        Assert.True(others > 0, "the others were delivered meanwhile");
        Assert.DoesNotContain("lost:", agent.Log, StringComparison.Ordinal);
        var repeats = spool.Value<int>("SELECT attempts FROM delivery WHERE message = 1");
        Audit.Of(spool, [one], accepted).Server("mq2", await queue.DrainAsync(), faults: 1, repeats, byKey: true).MustBeClean();
        Assert.All(await hung.DrainAsync(), message => Assert.Equal(id, message.MessageId));
    }

    [Fact(Timeout = Longest)]
    public async Task Confirms_that_are_overdue_while_the_broker_blocks_are_no_error()
    {
        using var spool = new TempSpool();
        var queue = await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, _exchange, _exchange);
        await using var agent = await StartAsync(spool);
        IReadOnlyList<AcceptedMessage> accepted;
        try
        {
            await hosts.Second.CtlAsync("set_vm_memory_high_watermark", "0.0001");
            accepted = await AddAsync(spool, 200);
            await agent.AwaitLogAsync("mq2: blocked by the broker: low on memory", Limit);
            var since = agent.Clock.GetTimestamp();
            await Eventually.Is("the alarm lasts for longer than any confirm may take", Limit, () => agent.Clock.GetElapsedTime(since) > TimeSpan.FromMinutes(3));
        }
        finally
        {
            await hosts.Second.CtlAsync("set_vm_memory_high_watermark", "0.6");
        }

        await spool.AwaitDeliveredAsync(200, Limit, "mq2");
        await agent.StopAsync();

        Assert.DoesNotContain("lost:", agent.Log, StringComparison.Ordinal);
        Audit.Of(spool, accepted).Server("mq2", await queue.DrainAsync()).MustBeClean();
    }

    private async Task<FastAgent> StartAsync(TempSpool spool)
    {
        var agent = await FastAgent.StartAsync(new AgentConfiguration(spool.Path).WithServer("mq2", hosts.Second, hosts.Name, _exchange, server => server["window"] = Window));
        await agent.AwaitLogAsync("mq2: connected", Limit);
        return agent;
    }

    private async Task<IReadOnlyList<AcceptedMessage>> AddAsync(TempSpool spool, int count)
    {
        using var producer = LineProducer.Start(spool, SsecEvents.All.Take(count), _exchange, TimeSpan.Zero);
        return await producer.FinishAsync();
    }

    /// <summary>The queue's process stops working: it takes messages and confirms none, while everything else at the broker goes on.</summary>
    private Task HangAsync(string queue) => hosts.Second.CtlAsync("eval", Call("suspend", queue));

    private string Call(string what, string queue) =>
        $"{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"{hosts.Name}\">>, queue, <<\"{queue}\">>)), sys:{what}(amqqueue:get_pid(Q)).";

    private static int CountSentAgain(FastAgent agent) => agent.Log.Split("were in flight and are sent again").Length - 1;
}
