using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>Each server gets what is for it: by the exchanges that its configuration lists, and by the servers that a producer names.</summary>
[Collection<TwoNodesCollection>]
public sealed class ExchangesOfServersTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    public async ValueTask InitializeAsync() => await Task.WhenAll(hosts.First.EnsureServingAsync(), hosts.Second.EnsureServingAsync());

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact(Timeout = 240_000)]
    public async Task No_message_strays_what_is_for_nobody_holds_nothing_back_and_goes_out_when_a_reload_finds_it_a_server()
    {
        using var spool = new TempSpool();
        (BrokerQueue ofFirst, BrokerQueue ofSecond) = (await DeclareAsync(hosts.First, "satellite"), await DeclareAsync(hosts.Second, "himawari"));
        BrokerQueue later = await DeclareAsync(hosts.First, "later"), stray = await DeclareAsync(hosts.Second, "later");
        var quickq = new SpoolCommand(spool);
        (await quickq.RunAsync("add", "-x", "later", "--id", "first", "x")).MustSucceed();
        AgentConfiguration configuration = new AgentConfiguration(spool.Path)
            .WithServer("mq1", hosts.First, hosts.Name, "satellite", server => server["exchanges"] = new System.Text.Json.Nodes.JsonArray("satellite"))
            .WithServer("mq2", hosts.Second, hosts.Name, "himawari", server => server["exchanges"] = new System.Text.Json.Nodes.JsonArray("himawari"));
        using AgentProcess agent = AgentProcess.Start(configuration);
        await Eventually.Is("both servers are known", Limit, () => spool.Query<string>("SELECT name FROM server WHERE active = 1").Count == 2);
        foreach (string exchange in (string[])["satellite", "himawari", "later"])
        {
            (await quickq.RunAsync("add", "-x", exchange, "--id", $"of-{exchange}", "x")).MustSucceed();
        }

        (await quickq.RunAsync("add", "--id", "for-all", "x")).MustSucceed();
        (await quickq.RunAsync("add", "--id", "named", "--server", "mq2", "x")).MustSucceed();
        await Task.WhenAll(ofFirst.AwaitCountAsync(2, Limit), ofSecond.AwaitCountAsync(3, Limit));

        Assert.Equal(["first", "of-later"], spool.Query<string>("SELECT id FROM message JOIN unassigned ON message = seq ORDER BY seq"));
        configuration.Root["servers"]!["mq1"]!["exchanges"]!.AsArray().Add("later");
        configuration.Write();
        agent.Reload();
        await later.AwaitCountAsync(2, Limit);

        Assert.Equal(["first", "of-later"], (await later.DrainAsync()).Select(message => message.MessageId));
        Assert.Equal(["of-satellite", "for-all"], (await ofFirst.DrainAsync()).Select(message => message.MessageId));
        Assert.Equal(["of-himawari", "for-all", "named"], (await ofSecond.DrainAsync()).Select(message => message.MessageId));
        Assert.Equal(0, await stray.CountAsync());
        Assert.Equal(0, await agent.StopAsync());
        Assert.Equal(0, spool.Value<int>("SELECT count(*) FROM delivery WHERE state <> 'delivered'"));
        Assert.Equal(["1 stopped"], spool.Query<string>("SELECT count(*) || ' ' || CASE WHEN stopped_at IS NULL THEN 'killed' ELSE 'stopped' END FROM agent"));
    }

    private Task<BrokerQueue> DeclareAsync(RabbitNode node, string exchange) => BrokerQueue.DeclareAsync(node, hosts.Name, exchange, $"of-{exchange}");
}
