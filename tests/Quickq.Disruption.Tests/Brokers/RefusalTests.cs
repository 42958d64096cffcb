using Quickq.Testing;
using Quickq.Testing.Auditing;

namespace Quickq.Disruption.Tests;

/// <summary>What a server answers to single messages: a full queue's nack, and no queue at all.</summary>
[Collection<TwoNodesCollection>]
public sealed class RefusalTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    public async ValueTask InitializeAsync() => await Task.WhenAll(hosts.First.EnsureServingAsync(), hosts.Second.EnsureServingAsync());

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact(Timeout = 180_000)]
    public async Task What_a_full_queue_refuses_waits_with_its_reason_passes_nobody_else_and_is_delivered_once_there_is_room()
    {
        using var spool = new TempSpool();
        var full = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "satellite", "full", "full.#",
            new Dictionary<string, object?>(StringComparer.Ordinal) { ["x-max-length"] = 3, ["x-overflow"] = "reject-publish" });
        var roomy = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "satellite", "roomy", "roomy.#");
        var other = await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, "satellite");
        using var agent = AgentProcess.Start(new AgentConfiguration(spool.Path)
            .WithServer("mq1", hosts.First, hosts.Name, "satellite")
            .WithServer("mq2", hosts.Second, hosts.Name, "satellite"));

        // Five for the full queue and twenty for the other, mixed: too few in a row to blame the exchange.
        var accepted = new List<AcceptedMessage>();
        foreach (var number in Enumerable.Range(0, 5))
        {
            accepted.AddRange(await AddAsync(spool, $"full.{number}", 1));
            accepted.AddRange(await AddAsync(spool, $"roomy.{number}", 4));
        }

        await spool.AwaitDeliveredAsync(23, Limit, "mq1");
        await spool.AwaitDeliveredAsync(25, Limit, "mq2");
        await Eventually.Gives("the two that found no room were tried again", 2L, Limit,
            () => spool.Value<long>("SELECT count(*) FROM delivery WHERE state = 'deferred' AND attempts >= 2"));
        var reasons = spool.Query<string>("SELECT DISTINCT reason FROM delivery WHERE state = 'deferred'");
        var connection = (await spool.StatusOfAsync("mq1")).GetProperty("connection").GetString();
        var whileFull = await full.DrainAsync();
        await spool.AwaitDeliveredAsync(25, Limit, "mq1");
        Assert.Equal(0, await agent.StopAsync());

        Assert.Contains("nack", Assert.Single(reasons), StringComparison.Ordinal);
        Assert.Equal("connected", connection);
        Assert.Equal(3, whileFull.Count);
        Audit.Of(spool, accepted)
            .Server("mq1", [.. whileFull, .. await full.DrainAsync(), .. await roomy.DrainAsync()])
            .Server("mq2", await other.DrainAsync())
            .MustBeClean();
    }

    [Fact(Timeout = 180_000)]
    public async Task When_a_full_queue_refuses_message_after_message_those_behind_wait_uncharged_and_later_go_on()
    {
        const int room = 10, events = 150;
        using var spool = new TempSpool();
        var full = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "narrow", "narrow");
        await hosts.First.CtlAsync("set_policy", "--vhost", hosts.Name, "narrow", "^narrow$", $$"""{"max-length":{{room}},"overflow":"reject-publish"}""");
        using var agent = AgentProcess.Start(new AgentConfiguration(spool.Path).WithServer("mq1", hosts.First, hosts.Name, "narrow", server => server["window"] = 20));
        var topic = SsecEvents.All.GroupBy(one => one.Topic, StringComparer.Ordinal).MaxBy(group => group.Count())!;
        using var producer = LineProducer.Start(spool, topic.Take(events), "narrow", TimeSpan.FromMilliseconds(50));
        var accepted = await producer.FinishAsync();

        await agent.AwaitLogAsync($"routing key '{topic.Key}' of exchange 'narrow' is suspended", Limit);
        await Eventually.Is("it was tried again", Limit, () => spool.Value<long>("SELECT count(*) FROM delivery WHERE state = 'deferred'") >= 2);
        var delivered = spool.CountDelivered("mq1");
        var untouched = spool.Value<long>("SELECT count(*) FROM delivery WHERE state = 'pending' AND attempts = 0");
        await hosts.First.CtlAsync("clear_policy", "--vhost", hosts.Name, "narrow");
        await spool.AwaitDeliveredAsync(events, Limit, "mq1");
        Assert.Equal(0, await agent.StopAsync());

        Assert.InRange(delivered, 1, events / 2);
        Assert.True(untouched >= events / 2, $"only {untouched} messages were left alone while the queue was full");
        Audit.Of(spool, accepted).Server("mq1", await full.DrainAsync()).MustBeClean();
    }

    [Fact(Timeout = 180_000)]
    public async Task A_message_that_no_queue_receives_is_accepted_retried_parked_or_not_asked_about_as_each_server_is_set()
    {
        using var spool = new TempSpool();
        var configuration = new AgentConfiguration(spool.Path);
        foreach (var setting in new[] { "accept", "retry", "park", "ignore" })
        {
            await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, setting, $"of-{setting}", "bound.#");
            configuration.WithServer(setting, hosts.First, hosts.Name, setting, server => server["unroutable"] = setting);
        }

        using var agent = AgentProcess.Start(configuration);
        var command = new SpoolCommand(spool);
        var bound = (await command.RunAsync("add", "-t", "bound.1", "one")).MustSucceed().Lines[0];
        var unbound = (await command.RunAsync("add", "-t", "unbound.1", "two")).MustSucceed().Lines[0];
        await Eventually.Gives("every server has answered for both", (6L, 1L, 1L), Limit, () => spool.Value<(long, long, long)>(
            "SELECT count(CASE WHEN state = 'delivered' THEN 1 END), count(CASE WHEN state = 'deferred' THEN 1 END), count(CASE WHEN state = 'rejected' THEN 1 END) FROM delivery"));
        var states = StatesOf(spool, unbound);
        var unrouted = spool.Query<(string, long)>("SELECT name, unrouted FROM server").ToDictionary(row => row.Item1, row => row.Item2, StringComparer.Ordinal);
        var late = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "retry", "late", "unbound.#");
        await spool.AwaitDeliveredAsync(2, Limit, "retry");
        Assert.Equal(0, await agent.StopAsync());

        Assert.All(StatesOf(spool, bound).Values, row => Assert.Equal("delivered", row.State));
        Assert.Equal("delivered", states["accept"].State);
        Assert.Equal("deferred", states["retry"].State);
        Assert.Equal("rejected", states["park"].State);
        Assert.Equal("delivered", states["ignore"].State);
        Assert.Contains("no queue", states["retry"].Reason, StringComparison.Ordinal);
        Assert.Contains("no queue", states["park"].Reason, StringComparison.Ordinal);
        Assert.Equal((1L, 0L, 0L, 0L), (unrouted["accept"], unrouted["retry"], unrouted["park"], unrouted["ignore"]));
        Assert.Equal(unbound, Assert.Single(await late.DrainAsync()).MessageId);
        Assert.Equal("rejected", StatesOf(spool, unbound)["park"].State);
    }

    private static async Task<IReadOnlyList<AcceptedMessage>> AddAsync(TempSpool spool, string topic, int count)
    {
        var bodies = Enumerable.Range(0, count).Select(_ => Some.Json(200)).ToList();
        var result = await new SpoolCommand(spool).RunWithInputAsync(bodies.SelectMany(body => body.Append((byte)'\n')).ToArray(), "add", "--lines", "-t", topic);
        return [.. result.MustSucceed().Lines.Zip(bodies, (id, body) => new AcceptedMessage(id, "satellite", topic, body))];
    }

    private static Dictionary<string, (string Server, string State, string? Reason)> StatesOf(TempSpool spool, string id) =>
        spool.Query<(string Server, string State, string? Reason)>(
            "SELECT s.name, d.state, d.reason FROM delivery AS d JOIN message AS m ON m.seq = d.message JOIN server AS s ON s.id = d.server WHERE m.id = @id",
            new { id }).ToDictionary(row => row.Server, StringComparer.Ordinal);
}
