using Quickq.Bench.Contestants;
using Quickq.Testing;

namespace Quickq.Bench.Comparisons;

/// <summary>
/// The load that people have: an even stream of messages to two servers (virtual hosts of one node). What one delivery costs the agent, a client that publishes one by one
/// with confirms, and QuickMQ's way, at the same rate: processor time, calls of the kernel, sleeps.
/// </summary>
internal static class SteadyComparison
{
    private const int GoalRate = 50;
    private const int Servers = 2;
    private static readonly int[] Rates = [1, 10, GoalRate, 200, 1_000];

    /// <summary>Not measured: programs start and find their pace.</summary>
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(3);

    /// <summary>For so long the calls of the kernel are counted, after the rest: who is traced is slow.</summary>
    private static readonly TimeSpan Traced = TimeSpan.FromSeconds(6);

    public static async Task<Report> RunAsync(BenchOptions options)
    {
        TimeSpan time = TimeSpan.FromSeconds(options.Seconds ?? 20);
        await using var nodes = new NodeSet();
        RabbitNode node = await nodes.AddAsync("steady");
        (int Rate, PacedSender Sender)[] cases = [.. Rates.SelectMany(rate => PacedSender.All.Select(sender => (rate, sender))).Where(each => options.Wants(NameOf(each)))];
        var seen = cases.ToDictionary(each => each, _ => new List<DeliveryCost>());
        for (int round = 1; round <= (options.Rounds ?? 1); round++)
        {
            foreach ((int Rate, PacedSender Sender) each in cases)
            {
                DeliveryCost cost = await MeasureAsync(node, each.Rate, each.Sender, time);
                seen[each].Add(cost);
                await Console.Out.WriteLineAsync(
                    $"round {round}  {NameOf(each),-70} {Report.Number(cost.ProcessorMicroseconds),6} us  {Report.Number(cost.Calls, 1),6} calls  {Report.Number(cost.Sleeps, 1),5} sleeps a delivery");
            }
        }

        return new Report(
            [$"1 kB each to two servers, {Report.Number(time.TotalSeconds)} s", "processor us a delivery", "% of a core", "calls of the kernel a delivery", "sleeps a delivery"],
            [.. cases.Select(each => Row(each.Rate, NameOf(each), seen[each]))],
            [.. Goals(seen)]);
    }

    private static string NameOf((int Rate, PacedSender Sender) each) => $"{Report.Number(each.Rate)}/s, {each.Sender.Name}";

    private static string[] Row(int rate, string name, List<DeliveryCost> runs)
    {
        double processor = Median(runs, run => run.ProcessorMicroseconds);
        return [name, Report.Number(processor), Report.Number(processor * rate * Servers / 10_000, 2), Report.Number(Median(runs, run => run.Calls), 1), Report.Number(Median(runs, run => run.Sleeps), 1)];
    }

    private static double Median(List<DeliveryCost> runs, Func<DeliveryCost, double> of) => Runs.Median(runs.Select(of));

    private static IEnumerable<string> Goals(Dictionary<(int Rate, PacedSender Sender), List<DeliveryCost>> seen)
    {
        if (!seen.TryGetValue((GoalRate, PacedSender.Agent), out List<DeliveryCost>? ours))
        {
            yield break;
        }

        double processor = Median(ours, run => run.ProcessorMicroseconds);
        yield return Report.Goal($"{GoalRate}/s: processor us a delivery", processor, 150, atLeast: false, decimals: 0);
        yield return Report.Goal($"{GoalRate}/s: calls of the kernel a delivery", Median(ours, run => run.Calls), 25, atLeast: false, decimals: 1);
        yield return Report.Goal($"{GoalRate}/s: sleeps a delivery", Median(ours, run => run.Sleeps), 4, atLeast: false, decimals: 1);
        double[] clients = [.. seen.Where(each => each.Key.Rate == GoalRate && each.Key.Sender.IsClientAlone).Select(each => Median(each.Value, run => run.ProcessorMicroseconds))];
        if (clients.Length > 0)
        {
            yield return Report.Goal($"{GoalRate}/s: processor time against the cheaper client alone", processor / clients.Min(), 2, atLeast: false);
        }
    }

    private static async Task<DeliveryCost> MeasureAsync(RabbitNode node, int rate, PacedSender sender, TimeSpan time)
    {
        var targets = new List<Target>();
        try
        {
            for (int i = 0; i < Servers; i++)
            {
                targets.Add(await Target.MakeAsync(node, "steady"));
            }

            int count = (int)(rate * (WarmUp + time + Traced + TimeSpan.FromSeconds(10)).TotalSeconds);
            using PacedRun run = await sender.StartAsync(targets, rate, count);
            await Task.Delay(WarmUp, TimeProvider.System);
            int before = await CountAsync(targets);
            ProcessReading first = ProcessReading.Of(run.Pid);
            await Task.Delay(time, TimeProvider.System);
            ProcessReading last = ProcessReading.Of(run.Pid);
            int after = await CountAsync(targets);
            var untraced = Measurement.Between(first, last, after - before);
            int calls = await CallCount.OfAsync(run.Pid, Traced);
            return new DeliveryCost(untraced.ProcessorMicroseconds, (double)untraced.Switches / untraced.Messages, (double)calls / (await CountAsync(targets) - after));
        }
        finally
        {
            foreach (Target target in targets)
            {
                await target.DisposeAsync();
            }
        }
    }

    private static async Task<int> CountAsync(List<Target> targets)
    {
        int count = 0;
        foreach (Target target in targets)
        {
            count += await target.CountAsync();
        }

        return count;
    }

    private sealed record DeliveryCost(double ProcessorMicroseconds, double Sleeps, double Calls);
}
