using System.Globalization;
using Quickq.Testing;
using Quickq.Testing.Auditing;

namespace Quickq.Disruption.Tests;

/// <summary>Producers stream events while one broker and the agent are killed at random times: nothing is lost, repeats are bounded, the ledger agrees.</summary>
[Collection<TwoNodesCollection>]
public sealed class KillRounds(VirtualHostPair hosts, ITestOutputHelper output) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private const int EventsPerProducer = 160;
    private const int Window = 60;
    private const int TimedAgentKills = 2;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LastTimedKill = TimeSpan.FromSeconds(2.5);

    /// <summary>10, or 200 with QUICKQ_LONG=1.</summary>
    public static TheoryData<int> Rounds => [.. Enumerable.Range(1, Environment.GetEnvironmentVariable("QUICKQ_LONG") is "1" ? 200 : 10)];

    public async ValueTask InitializeAsync() => await Task.WhenAll(hosts.First.EnsureServingAsync(), hosts.Second.EnsureServingAsync());

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Theory(Timeout = 240_000)]
    [MemberData(nameof(Rounds))]
    public async Task Nothing_is_lost_and_repeats_are_bounded_when_a_broker_and_the_agent_are_killed(int round)
    {
        var exchange = $"satellite-{round}-{Some.Word()}";
        using var spool = new TempSpool();
        var first = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, exchange, $"of-{exchange}");
        var second = await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, exchange, $"of-{exchange}");
        using var agent = new RestartedAgent(new AgentConfiguration(spool.Path)
            .WithServer("mq1", hosts.First, hosts.Name, exchange, server => server["window"] = Window)
            .WithServer("mq2", hosts.Second, hosts.Name, exchange, server => server["window"] = Window));
        using var one = StartProducer(spool, exchange);
        using var other = StartProducer(spool, exchange);

        var nodeReady = await KillAtRandomTimesAsync(agent);
        var accepted = new[] { await one.FinishAsync(), await other.FinishAsync() };
        await nodeReady;
        agent.KillAndStart();
        await KillWhileCatchingUpAsync(agent, spool);
        await spool.AwaitDeliveredAsync(2 * EventsPerProducer, Limit, "mq1", "mq2");
        Assert.Equal(0, await agent.StopAsync());

        IReadOnlyList<QueuedMessage>[] found = [await first.DrainAsync(), await second.DrainAsync()];
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"seed {Some.Seed}, round {round}: agent killed {agent.Kills} times, node 2 once; repeats: {QueueAudit.CountRepeats(found[0])} on mq1, {QueueAudit.CountRepeats(found[1])} on mq2"));
        Audit.Of(spool, accepted)
            .Server("mq1", found[0], agent.Kills, Window)
            .Server("mq2", found[1], agent.Kills + 1, Window)
            .MustBeClean();
    }

    private static LineProducer StartProducer(TempSpool spool, string exchange) =>
        LineProducer.Start(spool, SsecEvents.All.Skip(Some.Number(0, SsecEvents.All.Count - EventsPerProducer)).Take(EventsPerProducer), exchange, LongestPause);

    /// <summary>Kills the agent and the second node, each at random times; gives the task that the node's readiness is.</summary>
    private async Task<Task> KillAtRandomTimesAsync(RestartedAgent agent)
    {
        Action killNode = () =>
        {
            hosts.Second.Kill();
            hosts.Second.BeginStart();
        };
        var faults = Enumerable.Repeat(agent.KillAndStart, TimedAgentKills).Append(killNode)
            .Select(act => (At: Some.Time(TimeSpan.Zero, LastTimedKill), Act: act)).OrderBy(fault => fault.At).ToList();
        var passed = TimeSpan.Zero;
        foreach (var (at, act) in faults)
        {
            // Not a wait for anything: the random time of the fault.
            await Task.Delay(at - passed, TimeProvider.System);
            passed = at;
            act();
        }

        return hosts.Second.AwaitReadyAsync();
    }

    private static async Task KillWhileCatchingUpAsync(RestartedAgent agent, TempSpool spool)
    {
        const int all = 2 * EventsPerProducer;
        var before = (int)spool.CountDelivered("mq2");
        var enough = Some.Number(Math.Min(before + 1, all), all);
        await Eventually.Closely($"the agent has delivered {enough} messages to the second server", Limit, () => spool.CountDelivered("mq2") >= enough);
        agent.KillAndStart();
    }
}
