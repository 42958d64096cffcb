using System.Text;
using Quickq.Testing;

namespace Quickq.Disruption.Tests.QuickMq;

/// <summary><c>connect(host, exchange=)</c> of a QuickMQ script chooses the servers and exchanges: nobody else's server gets its messages.</summary>
[Collection<TwoNodesCollection>]
public sealed class ChosenServersTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private const int Messages = 10;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    public async ValueTask InitializeAsync() => await Task.WhenAll(hosts.First.EnsureServingAsync(), hosts.Second.EnsureServingAsync());

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact(Timeout = 240_000)]
    public async Task Two_scripts_with_a_server_and_an_exchange_each_leave_no_stray_message_at_the_other_server()
    {
        using var spool = new TempSpool();
        var goes = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "goes", "of-goes");
        var himawari = await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, "himawari", "of-himawari");
        using AgentProcess agent = StartAgent(spool);
        using var first = new QuickMqScript(spool);
        using var second = new QuickMqScript(spool);
        await first.AskAsync("mq.connect('mq1', user='oper', password='secret', exchange='goes')");
        await second.AskAsync($"mq.connect('127.0.0.1', port={hosts.Second.Port}, exchange='himawari')");
        await first.AwaitAsync("mq.status()", "mq1=CONNECTED");
        await second.AwaitAsync("mq.status()", "mq2=CONNECTED");

        await first.AskAsync("mq.configure(confirm_wait=30)");
        await second.AskAsync("mq.configure(confirm_wait=30)");
        for (int number = 0; number < Messages; number++)
        {
            Assert.Equal("mq1=DELIVERED", await first.StatesAsync("mq.publish('of goes', route_key='a.b')"));
            Assert.Equal("mq2=DELIVERED", await second.StatesAsync("mq.publish('of himawari', route_key='a.b')"));
        }

        Assert.Equal(0, await agent.StopAsync());
        Assert.All(await Bodies(goes), body => Assert.Equal("\"of goes\"", body));
        Assert.All(await Bodies(himawari), body => Assert.Equal("\"of himawari\"", body));
        Assert.Equal(2L * Messages, spool.Value<long>("SELECT count(*) FROM message"));
        Assert.Equal(2L * Messages, spool.Value<long>("SELECT count(*) FROM delivery WHERE state = 'delivered'"));
        Assert.Equal(2L * Messages, spool.Value<long>("SELECT count(*) FROM delivery"));
        Assert.Empty(first.Warnings);
        Assert.Empty(second.Warnings);
    }

    [Fact(Timeout = 240_000)]
    public async Task A_script_with_two_exchanges_in_one_client_sends_to_each_and_gets_one_answer()
    {
        using var spool = new TempSpool();
        BrokerQueue[] queues =
        [
            await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "both-a", "both-a"), await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "both-b", "both-b"),
            await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, "both-b", "both-b"),
        ];
        using AgentProcess agent = StartAgent(spool);
        using var script = new QuickMqScript(spool);
        await script.AskAsync("mq.connect('mq1', exchange='both-a')");
        await script.AskAsync("mq.connect('MQ1.', 'mq2', exchange='both-b')");
        await script.AwaitAsync("mq.status()", "mq1=CONNECTED mq2=CONNECTED");
        await script.AskAsync("mq.configure(confirm_wait=30)");

        for (int number = 0; number < Messages; number++)
        {
            Assert.Equal("mq1=DELIVERED mq2=DELIVERED", await script.StatesAsync("mq.publish('twice', route_key='a.b')"));
        }

        Assert.Equal(0, await agent.StopAsync());
        foreach (BrokerQueue queue in queues)
        {
            Assert.Equal(Messages, await queue.CountAsync());
        }

        Assert.Equal(3L * Messages, spool.Value<long>("SELECT count(*) FROM delivery"));
    }

    [Fact(Timeout = 240_000)]
    public async Task A_host_that_no_server_has_is_one_warning_and_all_servers_or_an_error_where_the_script_is_strict()
    {
        using var spool = new TempSpool();
        var first = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "other", "unknown-host");
        var second = await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, "other", "unknown-host");
        using AgentProcess agent = StartAgent(spool);
        using var script = new QuickMqScript(spool);
        await script.AwaitAsync("mq.status()", "mq1=CONNECTED mq2=CONNECTED");
        await script.AskAsync("mq.configure(confirm_wait=30)");

        await script.AskAsync("mq.connect('mq9.ssec.wisc.edu')");
        Assert.Equal("mq1=DELIVERED mq2=DELIVERED", await script.StatesAsync("mq.publish('to all')"));
        Assert.Equal("mq1=DELIVERED mq2=DELIVERED", await script.StatesAsync("mq.publish('to all')"));
        string warning = Assert.Single(script.Warnings);
        Assert.StartsWith(
            "no server of the agent has the host 'mq9.ssec.wisc.edu': all servers get the messages; the servers are: mq1", warning, StringComparison.Ordinal);

        // As soon as one host is known, only that one gets them.
        await script.AskAsync("mq.connect('mq2')");
        Assert.Equal("mq2=DELIVERED", await script.StatesAsync("mq.publish('to one')"));
        await script.AskAsync("mq.configure(strict=True)");
        Assert.Contains("SpoolError: no server of the agent has the host 'mq9.ssec.wisc.edu'", await script.AskAsync("mq.publish('to nobody')"), StringComparison.Ordinal);
        Assert.Contains("SpoolError: no server of the agent has the host 'mq8'", await script.AskAsync("mq.connect('mq1', 'mq8')"), StringComparison.Ordinal);

        await script.AskAsync("mq.disconnect()");
        Assert.Equal("mq1=DELIVERED mq2=DELIVERED", await script.StatesAsync("mq.publish('to all')"));
        Assert.Equal(0, await agent.StopAsync());
        Assert.Equal(3, await first.CountAsync());
        Assert.Equal(4, await second.CountAsync());
    }

    private static async Task<IReadOnlyList<string>> Bodies(BrokerQueue queue)
    {
        await queue.AwaitCountAsync(Messages, Limit);
        return [.. (await queue.DrainAsync()).Select(message => Encoding.UTF8.GetString(message.Body))];
    }

    private AgentProcess StartAgent(TempSpool spool) => AgentProcess.Start(new AgentConfiguration(spool.Path)
        .WithServer("mq1", hosts.First, hosts.Name, "other")
        .WithServer("mq2", hosts.Second, hosts.Name, "other"));
}
