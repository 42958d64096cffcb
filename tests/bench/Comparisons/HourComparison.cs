using Quickq.Bench.Contestants;
using Quickq.Testing;

namespace Quickq.Bench.Comparisons;

/// <summary>Fifty messages a second to two servers for an hour: what the agent's memory and processor time come to. Two minutes of it unless the long form is asked for.</summary>
internal static class HourComparison
{
    private const int Rate = 50;
    private static readonly TimeSpan Step = TimeSpan.FromSeconds(1);

    public static async Task<Report> RunAsync(BenchOptions options)
    {
        int seconds = options.Seconds ?? (options.Long ? 3_600 : 120);
        await using var nodes = new NodeSet();
        RabbitNode node = await nodes.AddAsync("hour");
        Target[] targets = [await Target.MakeBoundedAsync(node, "hour"), await Target.MakeBoundedAsync(node, "hour")];
        using var spool = new TempSpool();
        var drain = new AgentDrain(AgentDrain.Configure(spool, targets));
        await drain.IntroduceServersAsync();
        using AgentProcess agent = drain.Start();
        PacedProducer producer = PacedProducer.All.Single(each => each.Name is ".NET");
        Task producing = producer.RunAsync(spool.Path, Rate, Rate * seconds);
        var readings = new List<ProcessReading> { ProcessReading.Of(agent.Pid) };
        while (!producing.IsCompleted)
        {
            await Task.WhenAny(producing, Task.Delay(Step, TimeProvider.System));
            readings.Add(ProcessReading.Of(agent.Pid));
        }

        await producing;
        await drain.AwaitAllDeliveredAsync(agent, Rate * seconds);
        await agent.StopAsync();
        double Resident(double share) => readings[(int)(share * (readings.Count - 1))].ResidentBytes / 1048576.0;
        double used = (readings[^1].Processor - readings[0].Processor).TotalSeconds / (readings[^1].At - readings[0].At).TotalSeconds * 100;
        return new Report(
            [$"{Rate} messages/s of a few bytes to two servers, {Report.Number(seconds)} s", "resident MiB after a tenth", "half", "all of it", "highest", "processor, % of a core"],
            [["Quickq", Report.Number(Resident(0.1), 1), Report.Number(Resident(0.5), 1), Report.Number(Resident(1), 1), Report.Number(readings[^1].PeakBytes / 1048576.0, 1), Report.Number(used, 1)]],
            Report.Goal("At the end against after a tenth (flat)", Resident(1) / Resident(0.1), 1.1, atLeast: false));
    }
}
