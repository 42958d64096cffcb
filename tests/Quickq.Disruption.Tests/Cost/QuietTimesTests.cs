using System.Globalization;
using Quickq.Testing;
using Quickq.Testing.Auditing;

namespace Quickq.Disruption.Tests;

/// <summary>What happens when nothing seems to happen: no message for long, a spool that takes no writes for a while.</summary>
[Collection<TwoNodesCollection>]
public sealed class QuietTimesTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    public async ValueTask InitializeAsync() => await Task.WhenAll(hosts.First.EnsureServingAsync(), hosts.Second.EnsureServingAsync());

    public ValueTask DisposeAsync() => InitializeAsync();

    [Fact(Timeout = 240_000)]
    public async Task After_many_heartbeats_without_a_message_and_a_dropped_connection_the_next_message_goes_out_on_a_connection_that_is_there()
    {
        using var spool = new TempSpool();
        var queue = await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, "quiet", "quiet");
        using var agent = AgentProcess.Start(new AgentConfiguration(spool.Path).WithServer("mq2", hosts.Second, hosts.Name, "quiet", server => server["heartbeat"] = "2s"));
        await agent.AwaitLogAsync("mq2: connected", Limit);
        var accepted = new List<AcceptedMessage> { await AddAsync(spool, "first") };
        await spool.AwaitDeliveredAsync(1, Limit, "mq2");

        // Five heartbeats: without them each side would have given the other up after two.
        var clock = TimeProvider.System.GetTimestamp();
        await Eventually.Is("an hour of quiet, shortened as the heartbeat is", Limit, () => TimeProvider.System.GetElapsedTime(clock) > TimeSpan.FromSeconds(10));
        accepted.Add(await AddAsync(spool, "second"));
        await spool.AwaitDeliveredAsync(2, Limit, "mq2");
        Assert.Equal(1, CountConnections(agent));

        // The broker drops the idle connection: the agent has another before anybody needs it.
        await hosts.Second.CtlAsync("close_all_connections", "--vhost", hosts.Name, "idle for too long");
        await Eventually.Gives("the agent has connected again by itself", 2, Limit, () => CountConnections(agent));
        accepted.Add(await AddAsync(spool, "third"));
        await spool.AwaitDeliveredAsync(3, Limit, "mq2");
        Assert.Equal(0, await agent.StopAsync());

        Assert.Equal(2, CountConnections(agent));
        Audit.Of(spool, accepted).Server("mq2", await queue.DrainAsync()).MustBeClean();
    }

    [Fact(Timeout = 240_000)]
    public async Task The_agent_outlives_a_spool_that_cannot_be_written_for_a_while_and_forgets_nothing_of_what_it_learnt()
    {
        using var spool = new TempSpool();
        var queue = await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, "unwritable", "unwritable");
        using var agent = AgentProcess.Start(new AgentConfiguration(spool.Path).WithServer("mq2", hosts.Second, hosts.Name, "unwritable"));
        await agent.AwaitLogAsync("mq2: connected", Limit);

        // The broker answers when the spool takes no writes any more: all its confirms wait in the agent's memory.
        await hosts.Second.PauseAsync();
        using var producer = LineProducer.Start(spool, SsecEvents.All.Take(300), "unwritable", TimeSpan.Zero);
        var accepted = await producer.FinishAsync();
        using (var disk = await BreakDiskAsync(agent, spool))
        {
            hosts.Second.Resume();
            await agent.AwaitLogAsync("the spool cannot be written, tried again until it works", Limit);
            await disk.StopAsync(Limit);
        }
        await spool.AwaitDeliveredAsync(accepted.Count, Limit, "mq2");
        await agent.AwaitLogAsync("the spool can be written again", Limit);
        Assert.Equal(0, await agent.StopAsync());

        Audit.Of(spool, accepted).Server("mq2", await queue.DrainAsync()).MustBeClean();
    }

    private static async Task<AcceptedMessage> AddAsync(TempSpool spool, string text)
    {
        var id = (await new SpoolCommand(spool).RunAsync("add", "-t", "quiet.1", "-x", "quiet", "--content-type", "application/json", text)).MustSucceed().Lines[0];
        return new AcceptedMessage(id, "quiet", "quiet.1", System.Text.Encoding.UTF8.GetBytes(text));
    }

    private static int CountConnections(AgentProcess agent) => agent.Stderr.Split("mq2: connected to").Length - 1;

    /// <summary>Until it is stopped, the kernel answers each of the agent's writes to the spool with an input/output error.</summary>
    private static async Task<ChildProcess> BreakDiskAsync(AgentProcess agent, TempSpool spool)
    {
        var strace = ChildProcess.Start("strace",
            ["-f", "-o", "/dev/null", "-p", agent.Pid.ToString(CultureInfo.InvariantCulture), "-P", $"{spool.Path}-wal", "-e", "trace=pwrite64", "-e", "inject=pwrite64:error=EIO"]);
        await Eventually.Is("strace is attached", Limit, () => strace.Stderr.Contains("attached", StringComparison.Ordinal));
        return strace;
    }
}
