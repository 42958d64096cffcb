using System.Diagnostics;
using System.Globalization;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Bench;

/// <summary>What a large backlog costs: add and status with it, the first message out, the agent's memory, and whether the file shrinks once all is delivered and removed.</summary>
internal static class BacklogMeasurement
{
    private const string Exchange = "satellite";
    private const int Small = 10_000;
    private static readonly TimeSpan Limit = TimeSpan.FromHours(3);

    public static async Task RunAsync(int messages, int bytes, TextWriter output)
    {
        await using RabbitNode node = RabbitNode.Create("bench");
        await node.StartAsync();
        await node.CreateVirtualHostAsync("backlog");
        BrokerQueue queue = await BrokerQueue.DeclareAsync(node, "backlog", Exchange);
        using var spool = new TempSpool { MustBeSound = false };
        AgentConfiguration configuration = new AgentConfiguration(spool.Path).WithServer("mq1", node, "backlog", Exchange);
        configuration.Root["spool"]!["retention"] = "0s";
        configuration.Root["spool"]!["maxSize"] = "100GiB";
        using (AgentProcess first = AgentProcess.Start(configuration))
        {
            await first.AwaitLogAsync("connected to", TimeSpan.FromMinutes(1));
            await first.StopAsync();
        }

        await FillAsync(spool, Small, bytes);
        (double addSmall, double statusSmall) = await MeasureAsync(spool);
        await FillAsync(spool, messages - Small, bytes);
        (double addLarge, double statusLarge) = await MeasureAsync(spool);
        long full = new FileInfo(spool.Path).Length;
        await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
            $"add, whole process: {addSmall:0.0} ms with {Small} pending, {addLarge:0.0} ms with {messages}: {addLarge / addSmall:0.00} (goal 1.2); status: {statusSmall:0.0} ms, {statusLarge:0.0} ms (goal 100)"));

        long begun = Stopwatch.GetTimestamp();
        using AgentProcess agent = AgentProcess.Start(configuration);
        using SpoolReader reader = SpoolReader.Open(spool.Path);
        await Eventually.Closely("the first messages are delivered", Limit, () => reader.ReadOverview().Servers[0].Delivered > 0);
        await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"first message settled {Stopwatch.GetElapsedTime(begun).TotalMilliseconds:0} ms after the agent was started (goal 1000)"));
        using var process = Process.GetProcessById(agent.Pid);
        var resident = new List<long>();
        await Eventually.Is("all is delivered", Limit, () =>
        {
            process.Refresh();
            resident.Add(process.WorkingSet64);
            return reader.ReadOverview().Servers[0].Pending == 0;
        });
        TimeSpan drained = Stopwatch.GetElapsedTime(begun);
        await Eventually.Is("all is removed and the file is small", Limit, () => reader.ReadOverview().Messages == 0 && new FileInfo(spool.Path).Length < 16 << 20);
        await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
            $"{messages} drained in {drained.TotalSeconds:0} s while being removed; all gone after {Stopwatch.GetElapsedTime(begun).TotalSeconds:0} s: file {full >> 20} MiB -> {new FileInfo(spool.Path).Length >> 20} MiB"));
        int arrived = await queue.CountAsync();
        await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
            $"agent resident: {resident[resident.Count / 10] >> 20} MiB after a tenth, {resident[^1] >> 20} MiB at the end, at most {process.PeakWorkingSet64 >> 20} MiB (goal 120, flat); {arrived} in the queue"));
        await agent.StopAsync();
    }

    private static async Task<(double Add, double Status)> MeasureAsync(TempSpool spool)
    {
        const int Times = 15;
        var add = new List<double>();
        var status = new List<double>();
        for (int i = 0; i < Times; i++)
        {
            add.Add(await TimeAsync("add", "-t", "some.key", "{}"));
            status.Add(await TimeAsync("status", "--json"));
        }

        return (Runs.Median(add), Runs.Median(status));

        async Task<double> TimeAsync(params string[] arguments)
        {
            long begun = Stopwatch.GetTimestamp();
            (await new SpoolCommand(spool).RunAsync(arguments)).MustSucceed();
            return Stopwatch.GetElapsedTime(begun).TotalMilliseconds;
        }
    }

    /// <summary>By the program itself: with no agent there it also keeps the log small.</summary>
    private static async Task FillAsync(TempSpool spool, int messages, int bytes)
    {
        const int AtOnce = 50_000;
        byte[] line = [.. Enumerable.Repeat((byte)'x', bytes), (byte)'\n'];
        for (int done = 0; done < messages; done += AtOnce)
        {
            byte[] lines = [.. Enumerable.Repeat(line, Math.Min(AtOnce, messages - done)).SelectMany(one => one)];
            (await new SpoolCommand(spool).RunWithInputAsync(lines, "add", "--lines", "-t", "geo.goes.g16")).MustSucceed();
        }
    }
}
