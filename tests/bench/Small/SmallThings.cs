using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Engines;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace Quickq.Bench.Small;

/// <summary>The steps of a message's way one by one, by BenchmarkDotNet: time and allocations of each.</summary>
internal static class SmallThings
{
    public static Task<Report> RunAsync(BenchOptions options)
    {
        // In this process: what it would build of its own does not know the solution's versions.
        Job job = Job.Default.WithToolchain(InProcessEmitToolchain.Instance).WithStrategy(RunStrategy.Throughput).WithWarmupCount(3).WithIterationCount((options.Rounds ?? 3) * 5);
        IConfig config = ManualConfig.CreateEmpty().AddJob(job).AddDiagnoser(MemoryDiagnoser.Default).AddLogger(NullLogger.Instance).AddColumnProvider(DefaultColumnProviders.Instance)
            .WithArtifactsPath(Path.Combine(Path.GetTempPath(), $"quickq-small-{Environment.ProcessId}"));
        var rows = new List<string[]>();
        foreach (Type each in new[] { typeof(AppendBenchmark), typeof(FeedBenchmark), typeof(SettleBenchmark), typeof(PolicyBenchmark) })
        {
            Summary summary = BenchmarkRunner.Run(each, config);
            rows.AddRange(summary.Reports.Select(Row));
        }

        Directory.Delete(config.ArtifactsPath, recursive: true);
        return Task.FromResult(new Report(["a message", "ns", "standard deviation", "bytes allocated"], rows));
    }

    private static string[] Row(BenchmarkReport report)
    {
        if (report.ResultStatistics is not { } statistics)
        {
            throw new InvalidOperationException($"{report.BenchmarkCase.DisplayInfo} gave no figure");
        }

        return
        [
            report.BenchmarkCase.Descriptor.WorkloadMethodDisplayInfo.Trim('\''), Report.Number(statistics.Mean, 1), Report.Number(statistics.StandardDeviation, 1),
            Report.Number(report.GcStats.GetBytesAllocatedPerOperation(report.BenchmarkCase) ?? 0),
        ];
    }
}
