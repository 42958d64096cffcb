using Quickq.Bench.Contestants;
using Quickq.Testing;

namespace Quickq.Bench.Comparisons;

/// <summary>The same messages through Quickq and through what would be used instead, in turns, A B C A B C.</summary>
internal static class DrainComparison
{
    public const int Window = 1_000;
    private const string Ours = "Quickq draining a spool";

    // What the agent sets in its runtimeconfig.json: is the rest of a difference due to that alone?
    private static readonly Dictionary<string, string?> AgentRuntime = new(StringComparer.Ordinal)
    {
        ["DOTNET_gcConcurrent"] = "0",
        ["DOTNET_TieredPGO"] = "0",
        ["DOTNET_ThreadPool_UnfairSemaphoreSpinLimit"] = "0",
    };

    public static async Task<Report> RunAsync(string name, BenchOptions options, int nodes, int messages, int bytes, bool isUnrestricted = false)
    {
        messages = options.Messages ?? messages;
        int slow = Math.Max(Math.Min(messages, 3 * Window), messages / 20);
        await using var started = new NodeSet();
        for (int i = 0; i < nodes; i++)
        {
            await started.AddAsync($"{name}{i + 1}", isUnrestricted: isUnrestricted);
        }

        await using ShovelDrain? shovel = nodes == 1 && !isUnrestricted && options.Wants("Shovel") ? await ShovelDrain.StartAsync() : null;
        var contestants = new List<Contestant>
        {
            new("RabbitMQ.Client alone, own handling of acks", messages, targets => ClientAlone.MeasureAsync(targets, messages, bytes, Window, tracking: false)),
            new("the same, with the agent's runtime settings", messages, targets => ClientAlone.MeasureAsync(targets, messages, bytes, Window, tracking: false, AgentRuntime)),
            new("RabbitMQ.Client alone, its own tracking", messages, targets => ClientAlone.MeasureAsync(targets, messages, bytes, Window, tracking: true)),
            new("QuickMQ's way (python3-amqp)", slow, targets => QuickMqWay.MeasureAsync(targets, slow, bytes)),
            new(Ours, messages, targets => AgentDrain.MeasureAsync(targets, messages, bytes)),
        };
        if (shovel is not null)
        {
            contestants.Add(new("a local broker with Shovel", messages, targets => shovel.MeasureAsync(targets[0], messages, bytes, Window)));
        }

        contestants.RemoveAll(contestant => !options.Wants(contestant.Name));
        var runs = contestants.ToDictionary(contestant => contestant.Name, _ => new Runs(), StringComparer.Ordinal);
        for (int round = 1; round <= (options.Rounds ?? 3); round++)
        {
            foreach (Contestant contestant in contestants)
            {
                Measurement measured = await MeasureAsync(contestant, started.Nodes);
                runs[contestant.Name].Add(measured);
                await Console.Out.WriteLineAsync(
                    $"round {round}  {contestant.Name,-45} {Report.Number(measured.PerSecond),8}/s  {Report.Number(measured.ProcessorMicroseconds, 1),6} us  {measured.PeakBytes >> 20,4} MiB");
            }
        }

        return new Report(
            [$"{Report.Number(messages)} x {Report.Number(bytes)} B to {nodes} node{(nodes > 1 ? "s, each" : "")}, window {Window}, {options.Rounds ?? 3} rounds", "messages/s", "processor us a message", "sleeps a message", "resident MiB, peak"],
            [.. runs.Select(run => (string[])[run.Key, run.Value.RateWithSpread, run.Value.CostWithSpread, Report.Number(run.Value.SwitchesPerMessage, 2), Report.Number(run.Value.PeakMebibytes)])],
            [.. Goals(runs, nodes, bytes)]);
    }

    private static async Task<Measurement> MeasureAsync(Contestant contestant, IReadOnlyList<RabbitNode> nodes)
    {
        var targets = new List<Target>();
        try
        {
            foreach (RabbitNode node in nodes)
            {
                targets.Add(await Target.MakeAsync(node, "drain"));
            }

            Measurement measured = await contestant.RunAsync(targets);
            foreach (Target target in targets)
            {
                await target.RequireAsync(contestant.Messages);
            }

            return measured;
        }
        finally
        {
            foreach (Target target in targets)
            {
                await target.DisposeAsync();
            }
        }
    }

    private static IEnumerable<string> Goals(Dictionary<string, Runs> runs, int nodes, int bytes)
    {
        if (!runs.TryGetValue(Ours, out Runs? ours))
        {
            yield break;
        }

        List<Runs> clients = [.. runs.Where(run => run.Key.Contains("acks", StringComparison.Ordinal) || run.Key.Contains("tracking", StringComparison.Ordinal)).Select(run => run.Value)];
        if (clients.MaxBy(run => run.PerSecond) is { } client)
        {
            yield return Report.Goal("Rate against the faster client alone", ours.PerSecond / client.PerSecond, bytes > 10_000 ? 0.95 : 1, atLeast: true);
            yield return Report.Goal("Processor time a message against it", ours.ProcessorMicroseconds / client.ProcessorMicroseconds, 1.5, atLeast: false);
        }

        if (runs.FirstOrDefault(run => run.Key.Contains("Shovel", StringComparison.Ordinal)).Value is { } shovel)
        {
            yield return Report.Goal("Rate against Shovel", ours.PerSecond / shovel.PerSecond, 1.25, atLeast: true);
        }

        if (nodes == 2 && runs.FirstOrDefault(run => run.Key.StartsWith("QuickMQ", StringComparison.Ordinal)).Value is { } quickMq)
        {
            yield return Report.Goal("Rate to two servers against QuickMQ's way", ours.PerSecond / quickMq.PerSecond, 8, atLeast: true);
        }
    }

    private sealed record Contestant(string Name, int Messages, Func<IReadOnlyList<Target>, Task<Measurement>> RunAsync);
}
