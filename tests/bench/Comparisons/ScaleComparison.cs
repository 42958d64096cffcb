using System.Diagnostics;
using Quickq.Bench.Contestants;
using Quickq.Testing;

namespace Quickq.Bench.Comparisons;

/// <summary>What a backlog of ten thousand to millions changes: the drain, <c>add</c>, <c>status</c>, the agent's memory. All spools are filled first and then take turns.</summary>
internal static class ScaleComparison
{
    private const int Smallest = 10_000;
    private const int Commands = 15;

    public static async Task<Report> RunAsync(BenchOptions options)
    {
        int largest = options.Messages ?? (options.Long ? 5_000_000 : 1_000_000);
        int smallest = Math.Min(Smallest, largest / 2);
        int[] sizes = [.. new[] { smallest, 100_000, 1_000_000 }.Where(size => size < largest), largest];
        await using var nodes = new NodeSet();
        RabbitNode node = await nodes.AddAsync("scale");
        await using Target target = await Target.MakeBoundedAsync(node, "scale");
        var backlogs = new List<Backlog>();
        try
        {
            foreach (int size in sizes)
            {
                backlogs.Add(await Backlog.FillAsync(target, size));
                await Console.Out.WriteLineAsync($"{Report.Number(size)} filled");
            }

            for (int round = 1; round <= (options.Rounds ?? 5); round++)
            {
                foreach (Backlog backlog in backlogs)
                {
                    await backlog.MeasureAsync(smallest);
                }
            }
        }
        finally
        {
            backlogs.ForEach(backlog => backlog.Dispose());
        }

        return Tell(backlogs, smallest);
    }

    private static Report Tell(List<Backlog> backlogs, int slice)
    {
        (Backlog first, Backlog last) = (backlogs[0], backlogs[^1]);
        return new Report(
            ["backlog, 1 kB each", $"drained, messages/s (the first {Report.Number(slice)})", "processor us a message", "`add`, ms", "`status`, ms", "agent's peak, MiB", "file, MiB"],
            [.. backlogs.Select(each => (string[])[
                Report.Number(each.Size), each.Drained.RateWithSpread, each.Drained.CostWithSpread, Text(each.Add), Text(each.Status),
                Report.Number(each.Drained.PeakMebibytes), Report.Number(each.FileMebibytes)])],
            Report.Goal($"Drain rate at {Report.Number(last.Size)} against {Report.Number(first.Size)}", last.Drained.PerSecond / first.Drained.PerSecond, 0.9, atLeast: true),
            Report.Goal("`add` likewise", Runs.Median(last.Add) / Runs.Median(first.Add), 1.2, atLeast: false),
            Report.Goal($"`status` at {Report.Number(last.Size)}, ms", Runs.Median(last.Status), 100, atLeast: false, decimals: 1));
    }

    private static string Text(List<double> times) => $"{Report.Number(Runs.Median(times), 1)} ({Report.Number(times.Min(), 1)} - {Report.Number(times.Max(), 1)})";

    /// <summary>A spool that keeps its size: what a round drains is filled up again before the next.</summary>
    private sealed class Backlog : IDisposable
    {
        private readonly TempSpool _spool = new() { MustBeSound = false }; // the check of millions takes longer than all else
        private readonly AgentDrain _drain;
        private readonly SpoolCommand _command;

        private Backlog(Target target, int size)
        {
            Size = size;
            AgentConfiguration configuration = AgentDrain.Configure(_spool, [target]);
            configuration.Root["spool"]!["maxSize"] = "100GiB";
            _drain = new AgentDrain(configuration);
            _command = new SpoolCommand(_spool);
        }

        public int Size { get; }

        public Runs Drained { get; } = new();

        public List<double> Add { get; } = [];

        public List<double> Status { get; } = [];

        public double FileMebibytes { get; private set; }

        public static async Task<Backlog> FillAsync(Target target, int size)
        {
            var backlog = new Backlog(target, size);
            await backlog._drain.IntroduceServersAsync();
            await backlog._drain.FillAsync(size);
            return backlog;
        }

        public async Task MeasureAsync(int slice)
        {
            long pending = _drain.Pending;
            if (pending < Size)
            {
                await _drain.FillAsync((int)(Size - pending));
            }

            for (int i = 0; i < Commands; i++)
            {
                Add.Add(await TimeAsync("add", "-t", Target.Topic, new string('x', 1_000)));
                Status.Add(await TimeAsync("status"));
            }

            using AgentProcess agent = _drain.Start();
            Measurement measured = await _drain.MeasureNextAsync(agent, slice);
            Drained.Add(measured);
            FileMebibytes = new FileInfo(_spool.Path).Length / 1048576.0;
            await agent.StopAsync();
            await Console.Out.WriteLineAsync(
                $"{Report.Number(Size),10}  {Report.Number(measured.PerSecond),8}/s  add {Report.Number(Runs.Median(Add), 1)} ms  status {Report.Number(Runs.Median(Status), 1)} ms  {measured.PeakBytes >> 20} MiB");
        }

        public void Dispose() => _spool.Dispose();

        private async Task<double> TimeAsync(params string[] arguments)
        {
            long start = Stopwatch.GetTimestamp();
            (await _command.RunAsync(arguments)).MustSucceed();
            return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        }
    }
}
