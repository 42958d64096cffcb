using Quickq.Testing;
using Quickq.Testing.Auditing;

namespace Quickq.Disruption.Tests;

/// <summary>How the agent ends and what keeps it from starting.</summary>
[Collection<TwoNodesCollection>]
public sealed class AgentStopTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private const int Events = 1500;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(20);

    public async ValueTask InitializeAsync() => await Task.WhenAll(hosts.First.EnsureServingAsync(), hosts.Second.EnsureServingAsync());

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact(Timeout = 240_000)]
    public async Task Stopped_by_sigterm_amid_a_stream_it_ends_with_0_and_nothing_is_sent_twice()
    {
        using var spool = new TempSpool();
        var first = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "satellite");
        var second = await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, "satellite");
        using var agent = new RestartedAgent(new AgentConfiguration(spool.Path)
            .WithServer("mq1", hosts.First, hosts.Name, "satellite")
            .WithServer("mq2", hosts.Second, hosts.Name, "satellite"));
        using var producer = LineProducer.Start(spool, SsecEvents.All.Take(Events), "satellite", LongestPause);

        await spool.AwaitServersAsync(Limit);
        var codes = new List<int>();
        foreach (var stop in Enumerable.Range(1, 3))
        {
            // Each time amid what is going out: a third, two thirds of the way, and shortly before the end.
            var enough = (Events * stop / 4) + Some.Number(0, Events / 5);
            await Eventually.Closely($"{enough} messages are delivered to the first server", Limit, () => spool.CountDelivered("mq1") >= enough);
            codes.Add(await agent.StopAndStartAsync());
        }

        var accepted = await producer.FinishAsync();
        await spool.AwaitDeliveredAsync(Events, Limit, "mq1", "mq2");
        codes.Add(await agent.StopAsync());

        Assert.All(codes, code => Assert.Equal(0, code));
        Assert.Equal("disconnected", (await spool.StatusOfAsync("mq1")).GetProperty("connection").GetString());
        Audit.Of(spool, accepted).Server("mq1", await first.DrainAsync()).Server("mq2", await second.DrainAsync()).MustBeClean();
    }

    [Fact(Timeout = 120_000)]
    public async Task A_second_agent_on_the_same_spool_ends_with_75_at_once_and_names_the_first()
    {
        using var spool = new TempSpool();
        var configuration = new AgentConfiguration(spool.Path).WithServer("mq1", hosts.First, hosts.Name, "satellite");
        using var running = AgentProcess.Start(configuration);
        await running.AwaitLogAsync("connected", Limit);
        File.CreateSymbolicLink(spool.File("another-name.db"), spool.Path);
        foreach (var path in new[] { spool.Path, spool.File("another-name.db") })
        {
            configuration.Root["spool"]!["path"] = path;

            using var second = AgentProcess.Start(configuration);
            var code = await second.WaitForExitAsync(Limit);

            Assert.Equal(75, code);
            var line = Assert.Single(second.Stderr.Split('\n', StringSplitOptions.RemoveEmptyEntries));
            Assert.Contains($"process {running.Pid} ", line, StringComparison.Ordinal);
        }

        Assert.False(running.HasExited, "the first agent goes on");
        Assert.Equal("connected", (await spool.StatusOfAsync("mq1")).GetProperty("connection").GetString());
    }

    [Fact(Timeout = 60_000)]
    public async Task A_configuration_with_five_mistakes_ends_with_78_names_each_and_touches_nothing()
    {
        using var spool = new TempSpool();
        var configuration = new AgentConfiguration(spool.Path)
            .WithServer("mq1", "localhost", 70_000, "/", "satellite")
            .WithServer("mq2", "localhost", 5672, "/", "satellite", server =>
            {
                server.Remove("exchange");
                server["window"] = 0;
                server["unroutable"] = "drop";
            });
        configuration.Root["spool"]!["maxSize"] = "ten gigabytes";

        using var agent = AgentProcess.Start(configuration);
        var code = await agent.WaitForExitAsync(Limit);

        Assert.Equal(78, code);
        Assert.All(
            new[] { "servers.mq1.port", "servers.mq2.exchange", "servers.mq2.window", "servers.mq2.unroutable", "spool.maxSize" },
            setting => Assert.Contains(setting, agent.Stderr, StringComparison.Ordinal));
        Assert.Equal("quickq.json", Path.GetFileName(Assert.Single(Directory.GetFileSystemEntries(spool.Folder))));
    }
}
