using System.Diagnostics;
using System.Globalization;
using Quickq.Testing;
using Quickq.Testing.Auditing;
using Quickq.Testing.Network;

namespace Quickq.Disruption.Tests;

/// <summary>Connections are reset again and again while messages go out: nothing is lost, and nothing of an old connection stays in the agent.</summary>
[Collection<TwoNodesCollection>]
public sealed class ReconnectTests(VirtualHostPair hosts, ITestOutputHelper output) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private const int Longest = 7_200_000;
    private const int Servers = 8;
    private const int Window = 1_000;
    private static readonly bool Endurance = Environment.GetEnvironmentVariable("QUICKQ_LONG") is "1";

    /// <summary>Each resets all eight connections: 80 reconnects, or 2,000 with QUICKQ_LONG=1.</summary>
    private static readonly int Rounds = Endurance ? 250 : 10;

    /// <summary>8,000 deliveries, or a million.</summary>
    private static readonly int EventsPerRound = Endurance ? 500 : 100;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    public async ValueTask InitializeAsync() => await Task.WhenAll(hosts.First.EnsureServingAsync(), hosts.Second.EnsureServingAsync());

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact(Timeout = Longest)]
    public async Task Nothing_grows_and_nothing_is_lost_over_many_reconnects()
    {
        using var spool = new TempSpool();
        var servers = new List<(string Name, BrokerLink Link, BrokerQueue Queue)>();
        var configuration = new AgentConfiguration(spool.Path);
        for (var number = 1; number <= Servers; number++)
        {
            servers.Add(await PrepareAsync(number));
            configuration.WithServer(servers[^1].Name, "127.0.0.1", servers[^1].Link.Port, servers[^1].Queue.VirtualHost, "satellite");
        }

        using var agent = AgentProcess.Start(configuration);
        var clock = Stopwatch.StartNew();
        var accepted = new List<AcceptedMessage>();
        var readings = new List<AgentResources>();
        for (var round = 1; round <= Rounds; round++)
        {
            // Amid the messages of this round, each at another place.
            servers.ForEach(server => server.Link.ResetAfter(Some.Number(2_000, EventsPerRound * 300)));
            using var producer = LineProducer.Start(spool, Enumerable.Range(0, EventsPerRound).Select(_ => SsecEvents.All[Some.Number(0, SsecEvents.All.Count - 1)]), "satellite", TimeSpan.Zero);
            accepted.AddRange(await producer.FinishAsync());
            await spool.AwaitDeliveredAsync(accepted.Count, Limit, [.. servers.Select(server => server.Name)]);
            foreach (var (name, link, _) in servers)
            {
                await Eventually.Is($"the link to {name} has reset a connection in this round", Limit, () => link.Resets >= round);
            }

            // After the first tenth, by when what is loaded once is loaded, and after each tenth from then on.
            if (round % Math.Max(2, Rounds / 10) == 0)
            {
                readings.Add(await AgentResources.ReadAsync(agent.Pid));
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{clock.Elapsed.TotalSeconds:N0} s, {round * Servers} reconnects: {readings[^1]}"));
            }
        }

        Assert.Equal(0, await agent.StopAsync());
        var audit = Audit.Of(spool, accepted);
        foreach (var (name, link, queue) in servers)
        {
            audit.Server(name, await queue.DrainAsync(), link.Resets, Window);
            await link.DisposeAsync();
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{accepted.Count * Servers} deliveries; seed {Some.Seed}"));
        audit.MustBeClean();
        readings[^1].MustNotHaveGrownSince(readings[0], Endurance);
    }

    private async Task<(string Name, BrokerLink Link, BrokerQueue Queue)> PrepareAsync(int number)
    {
        var node = number % 2 == 0 ? hosts.Second : hosts.First;
        var virtualHost = $"{hosts.Name}-{number}";
        await node.CreateVirtualHostAsync(virtualHost);
        return ($"mq{number}", new BrokerLink(node), await BrokerQueue.DeclareAsync(node, virtualHost, "satellite"));
    }
}
