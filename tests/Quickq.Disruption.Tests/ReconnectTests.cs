using System.Globalization;
using Quickq.Testing;
using Quickq.Testing.Auditing;
using Quickq.Testing.Network;

namespace Quickq.Disruption.Tests;

/// <summary>Connections are reset again and again while messages go out: nothing is lost, and nothing of an old connection stays in the agent.</summary>
[Trait("Pace", "Slow")]
[Collection<TwoNodesCollection>]
public sealed class ReconnectTests(VirtualHostPair hosts, ITestOutputHelper output) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private const int Longest = 7_200_000;
    private const int Servers = 4;
    private const int Window = 1_000;
    private static readonly bool Endurance = Environment.GetEnvironmentVariable("QUICKQ_LONG") is "1";

    /// <summary>Each resets all four connections: 100 reconnects, or 2,000 with QUICKQ_LONG=1.</summary>
    private static readonly int Rounds = Endurance ? 500 : 25;

    /// <summary>20,000 deliveries, or a million.</summary>
    private static readonly int EventsPerRound = Endurance ? 500 : 200;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    public async ValueTask InitializeAsync() => await Task.WhenAll(hosts.First.EnsureServingAsync(), hosts.Second.EnsureServingAsync());

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact(Timeout = Longest)]
    public async Task Nothing_grows_and_nothing_is_lost_over_many_reconnects()
    {
        using var spool = new TempSpool();
        var (links, queues) = (new List<BrokerLink>(), new List<BrokerQueue>());
        var configuration = new AgentConfiguration(spool.Path);
        for (var number = 1; number <= Servers; number++)
        {
            var node = number % 2 == 0 ? hosts.Second : hosts.First;
            var virtualHost = $"{hosts.Name}-{number}";
            await node.CreateVirtualHostAsync(virtualHost);
            queues.Add(await BrokerQueue.DeclareAsync(node, virtualHost, "satellite"));
            links.Add(new BrokerLink(node));
            configuration.WithServer($"mq{number}", "127.0.0.1", links[^1].Port, virtualHost, "satellite");
        }

        using var agent = AgentProcess.Start(configuration);
        var accepted = new List<AcceptedMessage>();
        AgentResources? early = null;
        for (var round = 1; round <= Rounds; round++)
        {
            // Amid the messages of this round, each at another place.
            links.ForEach(link => link.ResetAfter(Some.Number(2_000, EventsPerRound * 300)));
            using var producer = LineProducer.Start(spool, Enumerable.Range(0, EventsPerRound).Select(_ => SsecEvents.All[Some.Number(0, SsecEvents.All.Count - 1)]), "satellite", TimeSpan.Zero);
            accepted.AddRange(await producer.FinishAsync());
            await spool.AwaitDeliveredAsync(accepted.Count, Limit, [.. Enumerable.Range(1, Servers).Select(number => $"mq{number}")]);
            foreach (var link in links)
            {
                await Eventually.Is("the link has reset a connection in this round", Limit, () => link.Resets >= round);
            }

            if (round == Math.Max(2, Rounds / 10))
            {
                early = await AgentResources.ReadAsync(agent.Pid);
            }
        }

        var late = await AgentResources.ReadAsync(agent.Pid);
        output.WriteLine($"after a tenth: {early}; at the end: {late}; seed {Some.Seed}");
        Assert.Equal(0, await agent.StopAsync());
        var audit = Audit.Of(spool, accepted);
        for (var number = 1; number <= Servers; number++)
        {
            audit.Server($"mq{number}", await queues[number - 1].DrainAsync(), links[number - 1].Resets, Window);
            await links[number - 1].DisposeAsync();
        }

        audit.MustBeClean();
        late.MustNotHaveGrownSince(early!, Endurance);
    }
}
