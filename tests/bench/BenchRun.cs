using Quickq.Bench.Comparisons;
using Quickq.Bench.Small;

namespace Quickq.Bench;

/// <summary>Runs the comparisons that were named, one after the other, prints each table, and on request puts it into the documentation.</summary>
internal static class BenchRun
{
    private const int WrongUse = 64;

    private static readonly Comparison[] All =
    [
        new("drain",         "100,000 x 1 kB to one node: Quickq, RabbitMQ.Client alone, Shovel",        options => DrainComparison.RunAsync("drain", options, nodes: 1, messages: 100_000, bytes: 1_000)),
        new("drain-unrestricted", "the same with a broker that uses the machine as it does by itself", options => DrainComparison.RunAsync("drain-unrestricted", options, nodes: 1, messages: 100_000, bytes: 1_000, isUnrestricted: true)),
        new("drain-small",   "100,000 x 200 B to one node",                                              options => DrainComparison.RunAsync("drain-small", options, nodes: 1, messages: 100_000, bytes: 200)),
        new("drain-large",   "4,000 x 64 kB to one node",                                                options => DrainComparison.RunAsync("drain-large", options, nodes: 1, messages: 4_000, bytes: 64_000)),
        new("drain-two",     "50,000 x 1 kB to two nodes: Quickq, RabbitMQ.Client alone, QuickMQ's way", options => DrainComparison.RunAsync("drain-two", options, nodes: 2, messages: 50_000, bytes: 1_000)),
        new("quickmq",       "a QuickMQ script to two nodes, with its import changed and without",         QuickMqComparison.RunAsync),
        new("latency",       "from the producer's call to the consumer, at 20, 200 and 2,000 a second",  LatencyComparison.RunAsync),
        new("cli",           "one message by a whole process; many by `add --lines`",                    CliComparison.RunAsync),
        new("python",        "Python's publish and publish_many against bare sqlite3",                   PythonComparison.RunAsync),
        new("producers",     "fifty producers through the service against one, and without it",         ProducersComparison.RunAsync),
        new("crowd",         "fifty programs of all kinds while the agent drains: how long one add takes", CrowdComparison.RunAsync),
        new("scale",         "backlogs of 10,000 to a million: drain, add, status, in turns",            ScaleComparison.RunAsync),
        new("backlog",       "a million drained and removed: first message, memory, file",               BacklogComparison.RunAsync),
        new("late",          "messages that came before their server was known",                         LateServerComparison.RunAsync),
        new("servers",       "1, 2, 5, 10 servers; ten of which five are dead",                          ServersComparison.RunAsync),
        new("poison",        "one message in 10,000 that the server does not take",                      PoisonComparison.RunAsync),
        new("steady",        "1 to 1,000 messages a second to two servers: what one delivery costs",     SteadyComparison.RunAsync),
        new("idle",          "ten servers connected and nothing to do, for five minutes",                IdleComparison.RunAsync),
        new("holds",         "for how long upkeep and settlements hold the write lock of a large spool", HoldsComparison.RunAsync),
        new("fan-out",       "an append to ten servers that take certain exchanges, against format 1",   FanOutComparison.RunAsync),
        new("hour",          "resident memory at 50 messages a second for two minutes, or an hour",      HourComparison.RunAsync),
        new("fleets",        "what 10,000 agents are to a broker: measured of one, the storm simulated", FleetsComparison.RunAsync),
        new("small",         "append, feed, settle, policy alone, by BenchmarkDotNet",                   SmallThings.RunAsync),
    ];

    public static async Task<int> RunAsync(string[] args)
    {
        if (BenchOptions.Read(args) is not { Help: false } options || Choose(options) is not { } chosen)
        {
            bool asked = args.Contains("--help", StringComparer.Ordinal);
            await TellUsageAsync(asked ? Console.Out : Console.Error);
            return asked ? 0 : WrongUse;
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

    private static async Task TellUsageAsync(TextWriter output)
    {
        await output.WriteLineAsync(BenchOptions.Usage);
        foreach (Comparison comparison in All)
        {
            await output.WriteLineAsync($"  {comparison.Name,-15} {comparison.Summary}");
        }
    }

    private static Comparison[]? Choose(BenchOptions options)
    {
        Comparison[] chosen = [.. All.Where(comparison => options.Names.Count == 0 || options.Names.Contains(comparison.Name, StringComparer.Ordinal))];
        return options.Names.All(name => All.Any(comparison => string.Equals(comparison.Name, name, StringComparison.Ordinal))) ? chosen : null;
    }

    private sealed record Comparison(string Name, string Summary, Func<BenchOptions, Task<Report>> RunAsync);
}
