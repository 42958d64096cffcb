using System.Globalization;
using Quickq.Testing;
using Quickq.Testing.Network;

namespace Quickq.Disruption.Tests;

/// <summary>Random faults of all kinds, on both servers, their networks and the agent, at the same time, under a steady 200 messages a second: in the end everything is there.</summary>
public sealed class ChaosTests(OwnNetwork network, ITestOutputHelper output) : IClassFixture<OwnNetwork>, IAsyncLifetime
{
    private const int Longest = 3_600_000;

    /// <summary>Two minutes, or thirty with QUICKQ_LONG=1.</summary>
    private static readonly TimeSpan Duration = TimeSpan.FromMinutes(Environment.GetEnvironmentVariable("QUICKQ_LONG") is "1" ? 30 : 2);

    private readonly string _virtualHost = $"v{Guid.NewGuid():N}"[..10];

    public async ValueTask InitializeAsync() => await network.CreateVirtualHostAsync(_virtualHost);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact(Timeout = Longest)]
    public async Task Everything_arrives_through_random_faults_of_all_kinds()
    {
        output.WriteLine($"seed {Some.Seed} (repeat with QUICKQ_SEED={Some.Seed})");
        await using var scene = await FaultScene.OpenAsync(
            (network.First, _virtualHost), (network.Second, _virtualHost), server => server["unroutable"] = "retry", network.Here);
        using var enough = new CancellationTokenSource(Duration, TimeProvider.System);
        var first = new ChaoticServer(network.First, network.ToFirst, queue: null, _virtualHost, new Random(Some.Seed));
        var second = new ChaoticServer(network.Second, network.ToSecond, scene.Faulty, _virtualHost, new Random(unchecked(Some.Seed + 1)));
        try
        {
            await Task.WhenAll(first.RunAsync(enough.Token), second.RunAsync(enough.Token), DisturbAgentAsync(scene, new Random(unchecked(Some.Seed + 2)), enough.Token));
        }
        finally
        {
            output.WriteLine($"mq1: {string.Join(", ", first.Done)}\nmq2: {string.Join(", ", second.Done)}");
        }

        await scene.AwaitFlowAsync();
        await scene.MustEndCleanAsync();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{scene.Spool.Value<long>("SELECT max(seq) FROM message")} messages, {first.Done.Count + second.Done.Count} faults of servers and networks, {scene.Agent.Kills} kills of the agent"));
        Assert.All(new[] { first, second }, server => Assert.InRange(server.Done.Count, 3, int.MaxValue));
    }

    private static async Task DisturbAgentAsync(FaultScene scene, Random dice, CancellationToken enough)
    {
        while (await ChaoticServer.PassesAsync(TimeSpan.FromSeconds(5 + (dice.NextDouble() * 20)), enough))
        {
            switch (dice.Next(3))
            {
                case 0:
                    await scene.Agent.StopAndStartAsync();
                    break;
                case 1:
                    await scene.Agent.Current.PauseAsync();
                    await ChaoticServer.PassesAsync(TimeSpan.FromSeconds(dice.NextDouble() * 8), enough);
                    scene.Agent.Current.Resume();
                    break;
                default:
                    scene.Agent.KillAndStart();
                    break;
            }
        }
    }
}
