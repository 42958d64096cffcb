using System.Globalization;
using System.Text.Json;
using Quickq.Bench.Contestants;
using Quickq.Testing;

namespace Quickq.Bench.Comparisons;

/// <summary>
/// One script that publishes to two nodes and looks at what became of each message: QuickMQ's <c>publish</c> on the spool, which waits a moment for both confirms,
/// against a client that publishes persistent messages to one server after the other. Beside them QuickMQ itself, whose messages do not survive a restart of the broker.
/// </summary>
internal static class QuickMqComparison
{
    private const int Bytes = 1_000;
    private const string Waiting = "`quickq.api.publish`", Persistent = "one by one, persistent, both confirms";

    public static async Task<Report> RunAsync(BenchOptions options)
    {
        (int messages, int rounds) = (options.Messages ?? 5_000, options.Rounds ?? 5);
        await using var nodes = new NodeSet();
        await nodes.AddAsync("first");
        await nodes.AddAsync("second");
        (string Name, Func<IReadOnlyList<Target>, Task<Measurement>> RunAsync)[] contestants =
        [
            (Waiting, targets => PublishAsync(targets, messages)),
            (Persistent, targets => QuickMqWay.MeasureAsync(targets, messages, Bytes)),
            ("QuickMQ's own: one by one, transient", targets => QuickMqWay.MeasureAsync(targets, messages, Bytes, transient: true)),
            ("`quickq.api.publish` that waits for none", targets => PublishAsync(targets, messages, "--no-wait")),
        ];
        var runs = contestants.ToDictionary(each => each.Name, _ => new Runs(), StringComparer.Ordinal);
        for (int round = 1; round <= rounds; round++)
        {
            foreach ((string name, Func<IReadOnlyList<Target>, Task<Measurement>> runAsync) in contestants.Where(each => options.Wants(each.Name)))
            {
                Target[] targets = [.. await Task.WhenAll(nodes.Nodes.Select(node => Target.MakeAsync(node, "quickmq")))];
                Measurement run = await runAsync(targets);
                foreach (Target target in targets)
                {
                    await target.RequireAsync(messages);
                    await target.DisposeAsync();
                }

                runs[name].Add(run);
                await Console.Out.WriteLineAsync($"round {round}  {name,-42} {Report.Number(run.PerSecond),7}/s");
            }
        }

        contestants = [.. contestants.Where(each => options.Wants(each.Name))];
        return new Report(
            [$"{Report.Number(messages)} messages of 1 kB to two nodes, {rounds} rounds", "messages/s"],
            [.. contestants.Select(each => (string[])[each.Name, runs[each.Name].RateWithSpread])],
            options.Wants(Waiting) && options.Wants(Persistent)
                ? [Report.Goal("`quickq.api.publish` against the same persistent and confirmed", runs[Waiting].PerSecond / runs[Persistent].PerSecond, 0.5, atLeast: true)]
                : []);
    }

    /// <summary>The script beside the agent that drains its spool.</summary>
    private static async Task<Measurement> PublishAsync(IReadOnlyList<Target> targets, int messages, params string[] options)
    {
        using var spool = new TempSpool();
        var drain = new AgentDrain(AgentDrain.Configure(spool, targets));
        using AgentProcess agent = drain.Start();
        await Eventually.Is("the agent is connected to both nodes", TimeSpan.FromMinutes(1), () => agent.Stderr.Split("connected to").Length > targets.Count);
        string[] arguments = [.. options, Text(messages), Text(Bytes), .. targets.Select((_, number) => $"mq{number + 1}")];
        string printed = await PythonScript.RunAsync("quickmq_api.py", arguments, spool: spool.Path);
        await drain.AwaitAllDeliveredAsync(agent, messages);
        await agent.StopAsync();
        return JsonSerializer.Deserialize<Measurement>(printed)!;
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
