using Quickq.Bench.Contestants;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Bench.Comparisons;

/// <summary>Ten servers connected and nothing to do: processor time, wake-ups, memory.</summary>
internal static class IdleComparison
{
    private const int Servers = 10;

    public static async Task<Report> RunAsync(BenchOptions options)
    {
        TimeSpan time = TimeSpan.FromSeconds(options.Seconds ?? 300);
        await using var nodes = new NodeSet();
        RabbitNode node = await nodes.AddAsync("idle");
        var targets = new List<Target>();
        for (int i = 0; i < Servers; i++)
        {
            targets.Add(await Target.MakeAsync(node, "idle"));
        }

        using var spool = new TempSpool();
        var drain = new AgentDrain(AgentDrain.Configure(spool, targets));
        using AgentProcess agent = drain.Start();
        await Eventually.Is("all servers are connected", TimeSpan.FromMinutes(2), () => File.Exists(spool.Path) && AreConnected(spool.Path));

        // What the start left behind is no part of idleness: the ledger's last sync, the first heartbeats.
        await Task.Delay(TimeSpan.FromSeconds(10), TimeProvider.System);
        ProcessReading before = ProcessReading.Of(agent.Pid);
        await Task.Delay(time, TimeProvider.System);
        ProcessReading after = ProcessReading.Of(agent.Pid);
        await agent.StopAsync();
        double seconds = (after.At - before.At).TotalSeconds;
        double share = (after.Processor - before.Processor).TotalSeconds / seconds * 100;
        return new Report(
            [$"ten servers connected, nothing to do, {Report.Number(seconds)} s", "processor, % of a core", "wake-ups a second", "resident MiB"],
            [["Quickq", Report.Number(share, 3), Report.Number((after.Switches - before.Switches) / seconds, 1), Report.Number(after.ResidentBytes / 1048576.0, 1)]],
            Report.Goal("Processor, % of a core", share, 0.1, atLeast: false, decimals: 3),
            Report.Goal("Resident memory, MiB", after.ResidentBytes / 1048576.0, 35, atLeast: false, decimals: 1));
    }

    private static bool AreConnected(string path)
    {
        using SpoolReader reader = SpoolReader.Open(path);
        return reader.ReadOverview().Servers is { Count: Servers } all && all.All(server => server.Connection is "connected");
    }
}
