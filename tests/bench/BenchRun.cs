using Quickq.Bench.Comparisons;

namespace Quickq.Bench;

/// <summary>Runs the comparisons that were named, one after the other, prints each table, and on request puts it into the documentation.</summary>
internal static class BenchRun
{
    private const int WrongUse = 64;

    private static readonly Comparison[] All =
    [
        new("drain",         "100,000 x 1 kB to one node: Quickq, RabbitMQ.Client alone, Shovel",    options => DrainComparison.RunAsync("drain", options, nodes: 1, messages: 100_000, bytes: 1_000)),
        new("drain-small",   "100,000 x 200 B to one node",                                          options => DrainComparison.RunAsync("drain-small", options, nodes: 1, messages: 100_000, bytes: 200)),
        new("drain-large",   "4,000 x 64 kB to one node",                                            options => DrainComparison.RunAsync("drain-large", options, nodes: 1, messages: 4_000, bytes: 64_000)),
        new("drain-two",     "50,000 x 1 kB to two nodes: Quickq, RabbitMQ.Client alone, QuickMQ's way", options => DrainComparison.RunAsync("drain-two", options, nodes: 2, messages: 50_000, bytes: 1_000)),
    ];

    public static async Task<int> RunAsync(string[] args)
    {
        if (BenchOptions.Read(args) is not { } options || Choose(options) is not { } chosen)
        {
            await Console.Error.WriteLineAsync(BenchOptions.Usage);
            foreach (Comparison comparison in All)
            {
                await Console.Error.WriteLineAsync($"  {comparison.Name,-15} {comparison.Summary}");
            }

            return WrongUse;
        }

        foreach (Comparison comparison in chosen)
        {
            await Console.Out.WriteLineAsync($"\n## {comparison.Name}: {comparison.Summary}");
            var load = LoadWatch.Start();
            Report report = await comparison.RunAsync(options);
            report = report with { Caption = $"`{options.CommandLine}`, {Machine.Describe()}, {load.Describe()}" };
            await Console.Out.WriteLineAsync($"\n{report.ToMarkdown()}");
            if (options.Write)
            {
                PerformancePage.Replace(comparison.Name, report);
            }
        }

        return 0;
    }

    private static Comparison[]? Choose(BenchOptions options)
    {
        Comparison[] chosen = [.. All.Where(comparison => options.Names.Count == 0 || options.Names.Contains(comparison.Name, StringComparer.Ordinal))];
        return options.Names.All(name => All.Any(comparison => string.Equals(comparison.Name, name, StringComparison.Ordinal))) ? chosen : null;
    }

    private sealed record Comparison(string Name, string Summary, Func<BenchOptions, Task<Report>> RunAsync);
}
