using System.Text.Json;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>
/// The power is cut at random moments while producers add, directly and through the spool service, and the agent settles: whatever part of the unflushed writes reached the disk, the
/// spool is sound afterwards and holds every message whose id was told. Two producers that break the rules show that losses would be seen.
/// </summary>
[Collection<OneNodeCollection>]
public sealed class PowerCutTests(VirtualHost host, ITestOutputHelper output) : IClassFixture<VirtualHost>
{
    private const int Streamed = 250;
    private const int SingleAdds = 12;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(180);

    private static bool IsLong => Environment.GetEnvironmentVariable("QUICKQ_LONG") is "1";

    [Fact(Timeout = 10_000_000)]
    public async Task Whatever_was_acknowledged_is_there_in_every_state_that_a_power_cut_can_leave()
    {
        using var disk = await RecordedDisk.MakeAsync();
        var queue = await BrokerQueue.DeclareAsync(host.Node, host.Name, "power");
        var spoolPath = Path.Combine(disk.Mount, "spool.db");
        using (var agent = AgentProcess.Start(new AgentConfiguration(spoolPath).WithServer("mq1", host.Node, host.Name, "power")))
        using (var service = await OwnServeProcess.StartAsync(spoolPath))
        {
            await ProduceAsync(disk, ("lines", Streamed), ("python", Streamed), ("python", Streamed), ("add", SingleAdds));
            await queue.AwaitCountAsync((3 * Streamed) + SingleAdds, Limit);
            Assert.Equal(0, await service.StopAsync());
            Assert.Equal(0, await agent.StopAsync());
        }

        await disk.UnmountAsync();
        var found = await disk.ReplayAsync(IsLong ? 5_000 : 200, BuiltPrograms.SpoolCli);
        Tell(found);

        Assert.InRange(Number(found, "marks"), 1, (3 * Streamed) + SingleAdds);
        Assert.True(Number(found, "flushes") > Streamed, "the recorder saw too few flushes to say anything");
        Assert.True(Number(found, "unflushed") > 0, "in no state anything was left to chance");
        Assert.True(Number(found, "lost") == 0 && Number(found, "damaged") == 0, found.ToString());
    }

    [Fact(Timeout = 10_000_000)]
    public async Task Whatever_the_service_answered_is_there_in_every_state_that_a_power_cut_can_leave()
    {
        using var disk = await RecordedDisk.MakeAsync();
        using (var service = await OwnServeProcess.StartAsync(Path.Combine(disk.Mount, "spool.db")))
        {
            await ProduceAsync(disk, [.. Enumerable.Repeat(("python", Streamed), 4)]);
            Assert.Equal(0, await service.StopAsync());
        }

        await disk.UnmountAsync();
        var found = await disk.ReplayAsync(IsLong ? 2_000 : 100, BuiltPrograms.SpoolCli);
        Tell(found);

        Assert.InRange(Number(found, "marks"), 1, 4 * Streamed);
        Assert.True(Number(found, "unflushed") > 0, "in no state anything was left to chance");
        Assert.True(Number(found, "lost") == 0 && Number(found, "damaged") == 0, found.ToString());
    }

    [Theory(Timeout = 10_000_000)]
    [InlineData("normal")]
    [InlineData("early")]
    public async Task A_producer_that_does_not_sync_or_that_tells_before_it_commits_is_caught(string kind)
    {
        using var disk = await RecordedDisk.MakeAsync();
        using (var service = await OwnServeProcess.StartAsync(Path.Combine(disk.Mount, "spool.db")))
        {
            await ProduceAsync(disk, ("add", 1));
            await ProduceAsync(disk, (kind, 100), (kind, 100));
            Assert.Equal(0, await service.StopAsync());
        }

        await disk.UnmountAsync();
        var found = await disk.ReplayAsync(IsLong ? 500 : 40);
        Tell(found);

        Assert.True(Number(found, "lost") > 0, found.ToString());
    }

    private static int Number(JsonElement found, string name) => found.GetProperty(name).GetInt32();

    private static async Task ProduceAsync(RecordedDisk disk, params (string Kind, int Count)[] producers)
    {
        var children = producers.Select(producer => ChildProcess.Start(
            "python3",
            [RecordedDisk.Tool("producer.py"), producer.Kind, $"{producer.Count}", Path.Combine(disk.Mount, "spool.db"), disk.MarkFile, BuiltPrograms.SpoolCli],
            new Dictionary<string, string?>(PythonProgram.Variables(Path.Combine(disk.Mount, "spool.db")), StringComparer.Ordinal) { ["QUICKQ_SEED"] = $"{Some.Seed}" })).ToList();
        try
        {
            foreach (var child in children)
            {
                child.Stdin.Close();
                Assert.True(await child.WaitForExitAsync(Limit) == 0, child.Stderr);
            }
        }
        finally
        {
            children.ForEach(child => child.Dispose());
        }
    }

    private void Tell(JsonElement found) => output.WriteLine($"seed {Some.Seed}: {found}");
}
