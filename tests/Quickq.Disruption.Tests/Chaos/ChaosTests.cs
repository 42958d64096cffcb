using System.Globalization;
using Quickq.Testing;
using Quickq.Testing.Auditing;
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
        var hostile = new Random(unchecked(Some.Seed + 3));
        await using var neighbour = new AmqpPeer(network.Here) { DrawMoves = () => HostileMoves.Draw(hostile) };
        await using var scene = await FaultScene.OpenAsync(
            (network.First, _virtualHost), (network.Second, _virtualHost), server => server["unroutable"] = "retry", network.Here,
            others: configuration => configuration.WithServer("hostile", "127.0.0.1", neighbour.Port, "/", "e", server => server["heartbeat"] = "2s"));
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
        Assert.InRange(neighbour.Conversations, 5, int.MaxValue);
        Assert.DoesNotContain("CRITICAL", scene.Agent.Log, StringComparison.Ordinal);
        Assert.All(new[] { first, second }, server => Assert.InRange(server.Done.Count, 3, int.MaxValue));
    }

    private static async Task DisturbAgentAsync(FaultScene scene, Random dice, CancellationToken enough)
    {
        while (await ChaoticServer.PassesAsync(TimeSpan.FromSeconds(5 + (dice.NextDouble() * 20)), enough))
        {
            switch (dice.Next(5))
            {
                case 0:
                    await scene.Agent.StopAndStartAsync();
                    break;
                case 1:
                    await scene.Agent.Current.PauseAsync();
                    await ChaoticServer.PassesAsync(TimeSpan.FromSeconds(dice.NextDouble() * 8), enough);
                    scene.Agent.Current.Resume();
                    break;
                case 2:
                    scene.Agent.KillAndStart();
                    break;
                case 3:
                    await BreakConfigurationAsync(scene, dice);
                    break;
                default:
                    PutForeignRows(scene, dice);
                    break;
            }
        }
    }

    /// <summary>Another program writes rows that are no messages: each is rejected alone.</summary>
    private static void PutForeignRows(FaultScene scene, Random dice)
    {
        string[] odd = ["'[', NULL", "x'ff', NULL", "'{\"headers\":{\"a\":1e999}}', NULL", "'{}', 'tomorrow'", "'{}', x'00'"];
        foreach (string values in odd)
        {
            scene.Spool.Execute($"INSERT INTO message (id, properties, expires_at, body) VALUES ('{Audit.ForeignIds}{dice.NextInt64()}', {values}, '{{}}')");
        }
    }

    /// <summary>What an editor leaves that was killed, or that writes Latin-1; then it is right again.</summary>
    private static async Task BreakConfigurationAsync(FaultScene scene, Random dice)
    {
        AgentConfiguration configuration = scene.Agent.Configuration;
        byte[] whole = await File.ReadAllBytesAsync(configuration.FilePath);
        int at = dice.Next(1, whole.Length - 1);
        await File.WriteAllBytesAsync(configuration.FilePath, [.. whole[..at], (byte)dice.Next(128, 256), .. whole[at..dice.Next(at, whole.Length)]]);
        await ChaoticServer.PassesAsync(TimeSpan.FromSeconds(dice.NextDouble()), CancellationToken.None);
        configuration.Write();
    }
}
