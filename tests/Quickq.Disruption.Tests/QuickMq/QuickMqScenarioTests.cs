using System.Diagnostics;
using System.Text.Json.Nodes;
using Quickq.Testing;

namespace Quickq.Disruption.Tests.QuickMq;

/// <summary>What QuickMQ promises of its servers holds for its scripts here, against real nodes; and what it said was DROPPED is PENDING, and arrives.</summary>
[Collection<TwoNodesCollection>]
public sealed class QuickMqScenarioTests(VirtualHostPair hosts, TwoMemberCluster cluster) : IClassFixture<VirtualHostPair>, IClassFixture<TwoMemberCluster>, IAsyncLifetime
{
    private const int Messages = 10;
    private const int Longest = 300_000;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    private readonly string _exchange = $"x{Guid.NewGuid():N}"[..8];
    private readonly TempSpool _spool = new();
    private BrokerQueue[] _queues = [];

    public async ValueTask InitializeAsync()
    {
        await Task.WhenAll(hosts.First.EnsureServingAsync(), hosts.Second.EnsureServingAsync(), cluster.First.EnsureServingAsync(), cluster.Second.EnsureServingAsync());
        await cluster.MirrorAsync("/");
        _queues =
        [
            await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, _exchange, _exchange),
            await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, _exchange, _exchange),
            await BrokerQueue.DeclareAsync(cluster.First, "/", _exchange, _exchange),
        ];
    }

    public ValueTask DisposeAsync()
    {
        _spool.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory(Timeout = Longest)]
    [InlineData("mq1")]
    [InlineData("mq1", "mq2", "cspp")]
    public async Task Connect_and_publish_to_one_server_and_to_three(params string[] names)
    {
        using AgentProcess agent = AgentProcess.Start(Configuration());
        using QuickMqScript script = new(_spool);
        await script.AskAsync($"mq.connect({string.Join(", ", names.Select(name => $"'{name}'"))}, exchange='{_exchange}')");
        await script.AwaitAsync("mq.status()", States(names, "CONNECTED"));
        await script.AskAsync("mq.configure(confirm_wait=30)");

        for (int number = 0; number < Messages; number++)
        {
            Assert.Equal(States(names, "DELIVERED"), await script.StatesAsync("mq.publish({'i': 1}, route_key='a.b')"));
        }

        Assert.Equal(0, await agent.StopAsync());
        await MustHoldAsync(Messages, names.Length > 1 ? Messages : 0, names.Length > 2 ? Messages : 0);
    }

    [Fact(Timeout = Longest)]
    public async Task A_cluster_is_one_server_and_the_loss_of_one_member_or_of_all_loses_nothing()
    {
        using AgentProcess agent = AgentProcess.Start(Configuration());
        using QuickMqScript script = new(_spool);
        await script.AskAsync($"mq.connect('mq1', exchange='{_exchange}')");
        await script.AskAsync(
            $"mq._client.connect(ClusteredConnection.from_uris('amqp://u:p@127.0.0.1:{cluster.First.Port}//', 'amqp://u:p@127.0.0.1:{cluster.Second.Port}/?heartbeat=5'))");
        await script.AwaitAsync("mq.status()", "cspp=CONNECTED mq1=CONNECTED");
        await script.AskAsync("mq.configure(confirm_wait=30)");
        Assert.Equal("cspp=DELIVERED mq1=DELIVERED", await PublishAsync(script));

        // One member ends: the other takes its place.
        await cluster.First.CtlAsync("stop_app");
        await script.AwaitAsync("mq.status()", "cspp=CONNECTED mq1=CONNECTED");
        Assert.Equal("cspp=DELIVERED mq1=DELIVERED", await PublishAsync(script));

        // All of it ends: the other server gets its messages, the cluster's wait.
        await cluster.Second.CtlAsync("stop_app");
        await script.AwaitAsync("mq.status()", "cspp=RECONNECTING mq1=CONNECTED");
        Assert.Equal("cspp=PENDING mq1=DELIVERED", await PublishAsync(script));

        await cluster.Second.CtlAsync("start_app");
        await cluster.First.CtlAsync("start_app");
        await script.AwaitAsync("mq.status()", "cspp=CONNECTED mq1=CONNECTED");
        await _queues[2].On(cluster.Second).AwaitCountAsync(3, Limit);
        Assert.Equal(0, await agent.StopAsync());
        await MustHoldAsync(3, 0, 3);
    }

    [Fact(Timeout = Longest)]
    public async Task What_is_published_after_a_server_has_gone_is_PENDING_and_arrives_when_it_is_back()
    {
        using AgentProcess agent = AgentProcess.Start(Configuration());
        using QuickMqScript script = new(_spool);
        await script.AskAsync($"mq.connect('mq1', 'mq2', exchange='{_exchange}')");
        await script.AwaitAsync("mq.status()", "mq1=CONNECTED mq2=CONNECTED");
        await script.AskAsync("mq.configure(confirm_wait=30)");
        Assert.Equal("mq1=DELIVERED mq2=DELIVERED", await PublishAsync(script));

        // The broker says that it goes.
        await Task.WhenAll(hosts.First.CtlAsync("stop_app"), hosts.Second.CtlAsync("stop_app"));
        await script.AwaitAsync("mq.status()", "mq1=RECONNECTING mq2=RECONNECTING");
        for (int number = 0; number < Messages; number++)
        {
            Assert.Equal("mq1=PENDING mq2=PENDING", await PublishAsync(script));
        }

        await Task.WhenAll(hosts.First.CtlAsync("start_app"), hosts.Second.CtlAsync("start_app"));
        await script.AwaitAsync("mq.status()", "mq1=CONNECTED mq2=CONNECTED");
        await Task.WhenAll(_queues[0].AwaitCountAsync(Messages + 1, Limit), _queues[1].AwaitCountAsync(Messages + 1, Limit));
        Assert.Equal(0, await agent.StopAsync());
        await MustHoldAsync(Messages + 1, Messages + 1, 0);
        Assert.Empty(script.Warnings);
    }

    [Theory(Timeout = Longest)]
    [InlineData("killed")]
    [InlineData("silent")]
    public async Task A_server_that_is_lost_without_a_word_costs_the_other_nothing_and_the_script_a_moment(string how)
    {
        using AgentProcess agent = AgentProcess.Start(Configuration());
        using QuickMqScript script = new(_spool);
        await script.AskAsync($"mq.connect('mq1', 'mq2', exchange='{_exchange}')");
        await script.AwaitAsync("mq.status()", "mq1=CONNECTED mq2=CONNECTED");
        await script.AskAsync("mq.configure(confirm_wait=2)");
        Assert.Equal("mq1=DELIVERED mq2=DELIVERED", await PublishAsync(script));

        if (how is "killed")
        {
            hosts.Second.Kill();
        }
        else
        {
            await hosts.Second.PauseAsync();
        }

        // While nobody has noticed, a publish waits its time for the confirm; then it no longer waits for that server.
        var clock = Stopwatch.StartNew();
        Assert.Equal("mq1=DELIVERED mq2=PENDING", await PublishAsync(script));
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(30));
        await script.AwaitAsync("mq.status()", "mq1=CONNECTED mq2=RECONNECTING");
        await script.AskAsync("mq.configure(confirm_wait=30)");
        Assert.Equal("mq1=DELIVERED mq2=PENDING", await PublishAsync(script));

        await hosts.Second.EnsureServingAsync();
        await script.AwaitAsync("mq.status()", "mq1=CONNECTED mq2=CONNECTED");
        await Eventually.Is("all three are at the server that was lost", Limit, async () => await _queues[1].CountAsync() >= 3);
        Assert.Equal(0, await agent.StopAsync());
        int[] counts = await CountAsync();
        Assert.Equal(3, counts[0]);
        Assert.InRange(counts[1], 3, 4); // what was unconfirmed at the loss may come twice
    }

    [Fact(Timeout = Longest)]
    public async Task A_refused_login_is_PENDING_and_one_warning_and_ends_when_the_password_is_right()
    {
        AgentConfiguration configuration = Configuration();
        JsonNode second = configuration.Root["servers"]!["mq2"]!;
        second["password"] = "wrong";
        using AgentProcess agent = AgentProcess.Start(configuration);
        using QuickMqScript script = new(_spool);
        await script.AskAsync($"mq.connect('mq1', 'mq2', exchange='{_exchange}')");
        await script.AwaitAsync("mq.status()", "mq1=CONNECTED mq2=RECONNECTING");
        await Eventually.Is("the script warns", Limit, async () => await script.StatesAsync("mq.status()") is not "" && script.Warnings.Count > 0);
        await script.AskAsync("mq.configure(confirm_wait=30)");
        Assert.Equal("mq1=DELIVERED mq2=PENDING", await PublishAsync(script));
        Assert.Equal("mq1=CONNECTED mq2=RECONNECTING", await script.StatesAsync("mq.status()"));
        string warning = Assert.Single(script.Warnings);
        Assert.StartsWith("mq2: the login is refused: ", warning, StringComparison.Ordinal);
        Assert.DoesNotContain("wrong\"", warning, StringComparison.Ordinal);

        second["password"] = "guest";
        configuration.Write();
        agent.Reload();
        await script.AwaitAsync("mq.status()", "mq1=CONNECTED mq2=CONNECTED");
        await _queues[1].AwaitCountAsync(1, Limit);
        Assert.Equal(0, await agent.StopAsync());
        await MustHoldAsync(1, 1, 0);
    }

    [Fact(Timeout = Longest)]
    public async Task An_exchange_that_is_missing_closes_a_channel_and_the_next_message_goes_through()
    {
        using AgentProcess agent = AgentProcess.Start(Configuration());
        using QuickMqScript script = new(_spool);
        await script.AskAsync($"mq.connect('mq1', exchange='{_exchange}')");
        await script.AwaitAsync("mq.status()", "mq1=CONNECTED");
        await script.AskAsync("mq.configure(confirm_wait=30)");

        string missing = _exchange + "-missing";
        Assert.Equal("mq1=PENDING", await script.StatesAsync($"mq.publish('early', route_key='a.b', exchange='{missing}')"));
        Assert.Equal("mq1=DELIVERED", await PublishAsync(script));
        Assert.Equal("mq1=CONNECTED", await script.StatesAsync("mq.status()"));
        Assert.StartsWith($"mq1: the exchange '{missing}' is suspended: ", Assert.Single(script.Warnings), StringComparison.Ordinal);

        var late = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, missing, missing);
        await late.AwaitCountAsync(1, Limit);
        Assert.Equal(0, await agent.StopAsync());
        await MustHoldAsync(1, 0, 0);
    }

    private static Task<string> PublishAsync(QuickMqScript script) => script.StatesAsync("mq.publish({'i': 1}, route_key='a.b')");

    private static string States(IEnumerable<string> names, string state) =>
        string.Join(' ', names.Order(StringComparer.Ordinal).Select(name => $"{name}={state}"));

    /// <summary>The queues of mq1, mq2 and the cluster.</summary>
    private async Task MustHoldAsync(params int[] expected) => Assert.Equal(expected, await CountAsync());

    private async Task<int[]> CountAsync() => await Task.WhenAll(_queues.Select(queue => queue.CountAsync()));

    private AgentConfiguration Configuration() => new AgentConfiguration(_spool.Path)
        .WithServer("mq1", hosts.First, hosts.Name, _exchange)
        .WithServer("mq2", hosts.Second, hosts.Name, _exchange)
        .WithServer("cspp", cluster.First, "/", _exchange, server =>
        {
            server.Remove("host");
            server.Remove("port");
            server["hosts"] = new JsonArray($"127.0.0.1:{cluster.First.Port}", $"127.0.0.1:{cluster.Second.Port}");
        });
}
