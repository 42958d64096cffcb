using System.Diagnostics;
using Quickq.Bench.Contestants;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Bench.Comparisons;

/// <summary>A large backlog from beginning to end: the first message out, the agent's memory on the way, and whether the file shrinks once all is delivered and removed.</summary>
internal static class BacklogComparison
{
    private static readonly TimeSpan Limit = TimeSpan.FromHours(3);
    private const long Small = 16L << 20;

    public static async Task<Report> RunAsync(BenchOptions options)
    {
        int messages = options.Messages ?? (options.Long ? 5_000_000 : 1_000_000);
        await using var nodes = new NodeSet();
        await using Target target = await Target.MakeBoundedAsync(await nodes.AddAsync("backlog"), "backlog");
        using var spool = new TempSpool { MustBeSound = false };
        AgentConfiguration configuration = AgentDrain.Configure(spool, [target]);
        configuration.Root["spool"]!["retention"] = "1s";
        configuration.Root["spool"]!["maxSize"] = "100GiB";
        var drain = new AgentDrain(configuration);
        await drain.IntroduceServersAsync();
        await drain.FillAsync(messages);
        long full = new FileInfo(spool.Path).Length;
        long begun = Stopwatch.GetTimestamp();
        using AgentProcess agent = drain.Start();
        using SpoolReader reader = SpoolReader.Open(spool.Path);
        await Eventually.Closely("the first messages are delivered", Limit, () => reader.ReadOverview().Servers[0].Delivered > 0);
        TimeSpan first = Stopwatch.GetElapsedTime(begun);
        var resident = new List<long>();
        await Eventually.Is("all is delivered", Limit, () =>
        {
            resident.Add(ProcessReading.Of(agent.Pid).ResidentBytes);
            return reader.ReadOverview().Servers[0].Pending == 0;
        });
        TimeSpan drained = Stopwatch.GetElapsedTime(begun);
        double peak = Mebibytes(ProcessReading.Of(agent.Pid).PeakBytes);
        await Eventually.Is("all is removed and the file is small", Limit, () => reader.ReadOverview().Messages == 0 && new FileInfo(spool.Path).Length < Small);
        TimeSpan removed = Stopwatch.GetElapsedTime(begun);
        long left = new FileInfo(spool.Path).Length;
        await agent.StopAsync();
        double Resident(double share) => Mebibytes(resident[(int)(share * (resident.Count - 1))]);
        return new Report(
            [$"{Report.Number(messages)} x 1 kB, drained and removed", ""],
            [
                ["first message settled after the agent was started", $"{Report.Number(first.TotalMilliseconds)} ms"],
                ["all delivered, while the reaper follows", $"{Report.Number(drained.TotalSeconds)} s, {Report.Number(messages / drained.TotalSeconds)}/s"],
                ["all removed", $"{Report.Number(removed.TotalSeconds)} s"],
                ["file, full", $"{Report.Number(Mebibytes(full))} MiB"],
                ["file, after reaping", $"{Report.Number(Mebibytes(left), 1)} MiB"],
                ["agent's resident memory after a tenth, the half, all of it", $"{Report.Number(Resident(0.1))}, {Report.Number(Resident(0.5))}, {Report.Number(Resident(1))} MiB"],
            ],
            Report.Goal("Resident memory at its highest, MiB", peak, 120, atLeast: false, decimals: 0),
            Report.Goal("At the end against after a tenth (flat)", Resident(1) / Resident(0.1), 1.1, atLeast: false));
    }

    private static double Mebibytes(long bytes) => bytes / 1048576.0;
}
