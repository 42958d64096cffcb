using System.Globalization;
using Quickq.Bench.Contestants;
using Quickq.Testing;
using RabbitMQ.Client;

namespace Quickq.Bench.Comparisons;

/// <summary>What one agent costs a broker, measured with some hundreds of connections as the agent makes them; what 10,000 cost, reckoned from that; and their return after an outage.</summary>
internal static class FleetsComparison
{
    private const int AtOnce = 20;

    // What RabbitMQ's guide for many connections recommends. On the loopback device the kernel's own choice is 2.5 MiB, and the broker keeps a buffer as large for each.
    private const string SmallBuffers = "tcp_listen_options.sndbuf = 32768\ntcp_listen_options.recbuf = 32768";
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(3);

    public static async Task<Report> RunAsync(BenchOptions options)
    {
        int agents = options.Messages ?? 10_000;
        Cost cost = await MeasureAsync(Math.Min(400, agents), TimeSpan.FromSeconds(options.Seconds ?? 60));
        var storm = new ReconnectStorm(agents, (int)(1_000 / cost.OpenMilliseconds));
        var rows = new List<string[]>
        {
            Row("broker's memory for a connection with one channel, socket buffers of 32 KiB", $"{Report.Number(cost.Kibibytes)} KiB", $"{Report.Number(cost.Kibibytes * agents / 1024)} MiB"),
            Row($"broker's processor for its heartbeats, every {Heartbeat.TotalSeconds:0} s", $"{Report.Number(cost.IdleShare * 100, 4)} % of a core", $"{Report.Number(cost.IdleShare * 100 * agents)} %"),
            Row("broker's processor to accept it", $"{Report.Number(cost.OpenMilliseconds, 1)} ms", $"{Report.Number(cost.OpenMilliseconds * agents / 1_000)} s of one core: {Report.Number(1_000 / cost.OpenMilliseconds)} a second"),
            Row("files and sockets", "1", Report.Number(agents)),
        };
        foreach (double outage in new[] { 5, 30, 120, 600.0 })
        {
            foreach (bool jitter in new[] { true, false })
            {
                ReconnectStorm.Outcome seen = storm.Play(outage, jitter);
                rows.Add(Row(
                    $"return after {outage:0} s, {(jitter ? "as it is" : "were there no jitter")}", $"{Report.Number(seen.AttemptsEach, 1)} attempts",
                    $"at most {Report.Number(seen.PeakPerSecond)} attempts/s; half are back after {Report.Number(seen.HalfBack, 1)} s, all after {Report.Number(seen.AllBack, 1)} s"));
            }
        }

        return new Report(["", "one agent", $"{Report.Number(agents)} agents"], rows);
    }

    private static string[] Row(params string[] cells) => cells;

    private static async Task<Cost> MeasureAsync(int count, TimeSpan idle)
    {
        await using var nodes = new NodeSet();
        RabbitNode node = await nodes.AddAsync("fleets", SmallBuffers);
        double idleBefore = await ShareAsync(node, idle / 2);
        double memoryBefore = await MemoryAsync(node);
        ProcessReading before = ProcessReading.Of(node.Pid);
        var connections = new List<IConnection>();
        try
        {
            foreach (int[] some in Enumerable.Range(0, count).Chunk(AtOnce))
            {
                connections.AddRange(await Task.WhenAll(some.Select(number => OpenAsync(node, number))));
            }

            ProcessReading opened = ProcessReading.Of(node.Pid);
            double memory = await MemoryAsync(node);
            double share = await ShareAsync(node, idle);
            return new Cost(
                (memory - memoryBefore) / count / 1024, Math.Max(0, share - idleBefore) / count, (opened.Processor - before.Processor).TotalMilliseconds / count);
        }
        finally
        {
            foreach (IConnection connection in connections)
            {
                await connection.DisposeAsync();
            }
        }
    }

    private static async Task<IConnection> OpenAsync(RabbitNode node, int number)
    {
        var factory = new ConnectionFactory { HostName = node.Host, Port = node.Port, AutomaticRecoveryEnabled = false, RequestedHeartbeat = Heartbeat };
        IConnection connection = await factory.CreateConnectionAsync(string.Create(CultureInfo.InvariantCulture, $"quickq@host{number}"));
        await connection.CreateChannelAsync(new CreateChannelOptions(true, false, null)); // ends with the connection
        return connection;
    }

    private static async Task<double> MemoryAsync(RabbitNode node)
    {
        // What garbage is left of opening it is no part of holding it.
        await Task.Delay(Settling, TimeProvider.System);
        return double.Parse(await node.CtlAsync("eval", "[garbage_collect(P) || P <- processes()], erlang:memory(total)."), CultureInfo.InvariantCulture);
    }

    private static async Task<double> ShareAsync(RabbitNode node, TimeSpan time)
    {
        ProcessReading before = ProcessReading.Of(node.Pid);
        await Task.Delay(time, TimeProvider.System);
        ProcessReading after = ProcessReading.Of(node.Pid);
        return (after.Processor - before.Processor) / (after.At - before.At);
    }

    private sealed record Cost(double Kibibytes, double IdleShare, double OpenMilliseconds);
}
