using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Quickq.Bench.Contestants;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Bench.Comparisons;

/// <summary>
/// Fifty producers at once through the spool service against one, each as fast as it can: rate, how long one append takes, the memory of the service.
/// Beside them producers that open the file, and those of the last release where a build of it is named.
/// </summary>
internal static class ProducersComparison
{
    private const int Many = 50;
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(1);

    public static async Task<Report> RunAsync(BenchOptions options)
    {
        var length = TimeSpan.FromSeconds(options.Seconds ?? 15);
        string python = options.Pythons.Count > 0 ? options.Pythons[0] : PythonScript.System;
        List<(string Name, int Count, Func<int, Task<Pace>> RunAsync)> contestants =
        [
            ("Python, through the service", 1, count => ServedAsync(spool => PublishAsync(spool, count, length, python, BuiltPrograms.PythonPackage))),
            ("Python, through the service", Many, count => ServedAsync(spool => PublishAsync(spool, count, length, python, BuiltPrograms.PythonPackage))),
            (".NET, through the service", 1, count => ServedAsync(spool => AppendAsync(() => new SpoolClient(SpoolLocation.Service(SocketOf(spool), spool)), count, length))),
            (".NET, through the service", Many, count => ServedAsync(spool => AppendAsync(() => new SpoolClient(SpoolLocation.Service(SocketOf(spool), spool)), count, length))),
            (".NET, opening the file", 1, count => DirectAsync(spool => AppendAsync(() => SpoolWriter.Open(spool), count, length))),
            (".NET, opening the file", Many, count => DirectAsync(spool => AppendAsync(() => SpoolWriter.Open(spool), count, length))),
        ];
        if (options.LastRelease is { } release)
        {
            string package = Path.Combine(release, "python-shim");
            contestants.Add(("Python of the last release", 1, count => DirectAsync(spool => PublishAsync(spool, count, length, python, package))));
            contestants.Add(("Python of the last release", Many, count => DirectAsync(spool => PublishAsync(spool, count, length, python, package))));
        }

        var seen = new List<(string Name, int Count, Pace Pace)>();
        foreach ((string name, int count, Func<int, Task<Pace>> runAsync) in contestants.Where(each => options.Wants(each.Name)))
        {
            seen.Add((name, count, await runAsync(count)));
        }

        return new Report(
            [$"messages of 1 kB, one an append, {length.TotalSeconds:0} s", "producers", "messages/s", "against one", "p50 ms", "p99", "longest", "service: MiB idle", "peak"],
            [.. seen.Select(each => (string[])[
                each.Name, Report.Number(each.Count), Report.Number(each.Pace.PerSecond), each.Count == 1 ? "" : Report.Number(AgainstOne(seen, each.Name), 1),
                Report.Number(each.Pace.Median, 2), Report.Number(each.Pace.P99, 1), Report.Number(each.Pace.Longest, 1), Mebibytes(each.Pace.IdleBytes), Mebibytes(each.Pace.PeakBytes)])],
            [.. Goals(seen)]);
    }

    private static IEnumerable<string> Goals(List<(string Name, int Count, Pace Pace)> seen)
    {
        foreach ((string name, int _, Pace pace) in seen.Where(each => each.Count == Many && each.Pace.IdleBytes is not null))
        {
            if (seen.Exists(each => each.Count == 1 && string.Equals(each.Name, name, StringComparison.Ordinal)))
            {
                yield return Report.Goal($"{name}: rate of fifty against one", AgainstOne(seen, name), 5, atLeast: true, decimals: 1);
            }

            yield return Report.Goal($"{name}: p99 of an append by one of fifty, in ms", pace.P99, 20, atLeast: false, decimals: 1);
            yield return Report.Goal($"{name}: the service idle, in MiB", pace.IdleBytes!.Value / 1048576.0, 15, atLeast: false, decimals: 1);
        }
    }

    private static double AgainstOne(List<(string Name, int Count, Pace Pace)> seen, string name) =>
        PerSecond(seen, name, Many) / PerSecond(seen, name, 1);

    private static double PerSecond(List<(string Name, int Count, Pace Pace)> seen, string name, int count) =>
        seen.Find(each => each.Count == count && string.Equals(each.Name, name, StringComparison.Ordinal)).Pace.PerSecond;

    private static async Task<Pace> ServedAsync(Func<string, Task<Pace>> runAsync)
    {
        using var spool = new TempSpool();
        using ServiceProcess service = await ServiceProcess.StartAsync(spool);
        long idle = service.Reading.ResidentBytes;
        Pace pace = await runAsync(spool.Path);
        return pace with { IdleBytes = idle, PeakBytes = service.Reading.PeakBytes };
    }

    private static async Task<Pace> DirectAsync(Func<string, Task<Pace>> runAsync)
    {
        using var spool = new TempSpool();
        return await runAsync(spool.Path);
    }

    private static async Task<Pace> PublishAsync(string spool, int count, TimeSpan length, string interpreter, string package)
    {
        string printed = await PythonScript.RunAsync("publishers.py", [count.ToString(CultureInfo.InvariantCulture), spool, length.TotalSeconds.ToString(CultureInfo.InvariantCulture)], interpreter, package);
        return JsonSerializer.Deserialize<Pace>(printed)!;
    }

    private static async Task<Pace> AppendAsync(Func<ISpoolProducer> open, int count, TimeSpan length)
    {
        long start = Stopwatch.GetTimestamp();
        Task<List<double>>[] producers = [.. Enumerable.Range(0, count).Select(_ => Task.Factory.StartNew(
            () => Append(open, start, length), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        double[] times = [.. (await Task.WhenAll(producers)).SelectMany(own => own).Order()];
        return new Pace(times.Length / length.TotalSeconds, times[times.Length / 2], times[(int)(times.Length * 0.99)], times[^1]);
    }

    private static List<double> Append(Func<ISpoolProducer> open, long start, TimeSpan length)
    {
        using ISpoolProducer spool = open();
        OutgoingMessage message = AgentDrain.Message(new byte[1_000]);
        var times = new List<double>();
        for (TimeSpan at = TimeSpan.Zero; at < WarmUp + length; at = Stopwatch.GetElapsedTime(start))
        {
            long begun = Stopwatch.GetTimestamp();
            spool.Append(message);
            if (at >= WarmUp)
            {
                times.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
            }
        }

        return times;
    }

    private static string SocketOf(string spool) => Path.Combine(Path.GetDirectoryName(spool)!, SpoolLocator.SocketName);

    private static string Mebibytes(long? bytes) => bytes is { } there ? Report.Number(there / 1048576.0, 1) : "";

    /// <summary>What producers reached together; times in milliseconds.</summary>
    private sealed record Pace(double PerSecond, double Median, double P99, double Longest)
    {
        public long? IdleBytes { get; init; }

        public long? PeakBytes { get; init; }
    }
}
