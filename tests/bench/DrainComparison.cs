using System.Diagnostics;
using System.Globalization;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Bench;

/// <summary>Drains a spool to one node, and in the same run publishes as many messages with RabbitMQ.Client alone; A B C A B C, medians.</summary>
internal static class DrainComparison
{
    private const int Window = 1_000;
    private const string Exchange = "satellite";

    public static async Task RunAsync(int messages, int bytes, int rounds, TextWriter output)
    {
        await using RabbitNode node = RabbitNode.Create("bench");
        await node.StartAsync();
        var runs = new Dictionary<string, List<Measurement>>(StringComparer.Ordinal);
        for (int round = 1; round <= rounds; round++)
        {
            await MeasureAsync("client alone, own acks", messages, vhost => ClientAlone.WithOwnAcksAsync(node, vhost, Exchange, messages, bytes, Window));

            // Its limiter holds it at about 1,000 messages a second, whatever the machine: a twentieth of them is enough to see that.
            await MeasureAsync("client alone, its tracking", messages / 20, vhost => ClientAlone.WithOwnTrackingAsync(node, vhost, Exchange, messages / 20, bytes, Window));
            await MeasureAsync("quickq", messages, vhost => DrainAsync(node, vhost, messages, bytes));

            async Task MeasureAsync(string name, int expected, Func<string, Task<Measurement>> run)
            {
                string vhost = string.Create(CultureInfo.InvariantCulture, $"{name.Replace(' ', '-').Replace(",", "", StringComparison.Ordinal)}-{round}");
                await node.CreateVirtualHostAsync(vhost);
                BrokerQueue queue = await BrokerQueue.DeclareAsync(node, vhost, Exchange);
                Measurement measured = await run(vhost);
                int arrived = await queue.CountAsync();
                if (arrived != expected)
                {
                    throw new InvalidOperationException($"{name}: {arrived} of {expected} messages arrived");
                }

                await node.CtlAsync("delete_vhost", vhost);
                (runs.TryGetValue(name, out List<Measurement>? list) ? list : runs[name] = []).Add(measured);
                await output.WriteLineAsync(Line(name, measured));
            }
        }

        await output.WriteLineAsync($"medians of {rounds} rounds, {messages} messages of {bytes} B, window {Window}:");
        double Rate(string name) => Measurement.Median(runs[name].Select(run => run.PerSecond));
        double Cost(string name) => Measurement.Median(runs[name].Select(run => run.ProcessorMicroseconds));
        string best = runs.Keys.Where(name => name is not "quickq").MaxBy(Rate)!;
        foreach (string name in runs.Keys)
        {
            await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"  {name,-28} {Rate(name),8:0} msg/s  {Cost(name),6:0.0} us/msg"));
        }

        await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
            $"  rate against {best}: {Rate("quickq") / Rate(best):0.00} (goal 0.95); processor time: {Cost("quickq") / Cost(best):0.00} (goal 1.5); resident at most {runs["quickq"].Max(run => run.ResidentBytes) >> 20} MiB"));
    }

    private static async Task<Measurement> DrainAsync(RabbitNode node, string virtualHost, int messages, int bytes)
    {
        using var spool = new TempSpool();
        AgentConfiguration configuration = new AgentConfiguration(spool.Path).WithServer("mq1", node, virtualHost, Exchange);

        // The server is known before the messages come: to assign them afterwards is another thing than to drain them.
        using (AgentProcess first = AgentProcess.Start(configuration))
        {
            await first.AwaitLogAsync("connected to", TimeSpan.FromMinutes(1));
            await first.StopAsync();
        }

        Fill(spool.Path, messages, bytes);

        // The agent's start is no part of the rate: the clock runs from the first tenth to the end.
        int warm = messages / 10;
        using AgentProcess agent = AgentProcess.Start(configuration);
        using SpoolReader reader = SpoolReader.Open(spool.Path);
        await AwaitDeliveredAsync(reader, warm);
        using var process = Process.GetProcessById(agent.Pid);
        TimeSpan processorBefore = process.TotalProcessorTime;
        long before = Delivered(reader);
        var watch = Stopwatch.StartNew();
        await AwaitDeliveredAsync(reader, messages);
        watch.Stop();
        process.Refresh();
        var measured = new Measurement((int)(messages - before), watch.Elapsed, process.TotalProcessorTime - processorBefore, process.PeakWorkingSet64);
        await agent.StopAsync();
        return measured;
    }

    private static long Delivered(SpoolReader reader) => reader.ReadOverview().Servers.Sum(server => server.Delivered);

    private static Task AwaitDeliveredAsync(SpoolReader reader, int count) =>
        Eventually.Is($"{count} messages are delivered", TimeSpan.FromMinutes(10), () => Delivered(reader) >= count);

    private static void Fill(string path, int messages, int bytes)
    {
        using SpoolWriter writer = SpoolWriter.Open(path);
        byte[] body = new byte[bytes];
        for (int done = 0; done < messages; done += 1_000)
        {
            writer.AppendMany([.. Enumerable.Range(0, Math.Min(1_000, messages - done)).Select(_ => new OutgoingMessage
            {
                RoutingKey = "geo.goes.g16.abi.adde.realtime.ncdf.band.end",
                Body = body,
                Properties = new MessageProperties { ContentType = "application/json" },
            })]);
        }
    }

    private static string Line(string name, Measurement run) => string.Create(CultureInfo.InvariantCulture,
        $"{name,-28} {run.PerSecond,8:0} msg/s  {run.ProcessorMicroseconds,6:0.0} us/msg  {run.ResidentBytes >> 20,4} MiB");
}
