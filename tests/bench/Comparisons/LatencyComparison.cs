using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Quickq.Bench.Contestants;
using Quickq.Testing;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Quickq.Bench.Comparisons;

/// <summary>From the moment when a producer hands a message over, its durable commit included, to the moment when a consumer has it.</summary>
internal static class LatencyComparison
{
    private const int GoalRate = 200;
    private static readonly int[] Rates = [20, GoalRate, 2_000];

    public static async Task<Report> RunAsync(BenchOptions options)
    {
        (int seconds, int rounds) = (options.Seconds ?? 8, options.Rounds ?? 3);
        await using var nodes = new NodeSet();
        RabbitNode node = await nodes.AddAsync("latency");
        (int Rate, PacedProducer Producer)[] cases =
            [.. Rates.SelectMany(rate => PacedProducer.All.Where(producer => producer.Fastest >= rate && options.Wants(producer.Name)).Select(producer => (rate, producer)))];
        var seen = cases.ToDictionary(each => each, _ => new List<double[]>());
        for (int round = 1; round <= rounds; round++)
        {
            foreach ((int rate, PacedProducer producer) in cases)
            {
                double[] sorted = await MeasureAsync(node, rate, Math.Min(rate * seconds, options.Messages ?? int.MaxValue), producer);
                seen[(rate, producer)].Add(sorted);
                await Console.Out.WriteLineAsync($"round {round}  {rate,5}/s  {producer.Name,-25} p50 {Report.Number(At(sorted, 0.5), 1),5} ms  p99 {Report.Number(At(sorted, 0.99), 1),6} ms");
            }
        }

        return new Report(
            [$"{seconds} s each, {rounds} rounds", "p50 ms", "p99", "p99.9", "max"],
            [.. cases.Select(each => (string[])[$"{Report.Number(each.Rate)}/s, {each.Producer.Name}", .. new[] { 0.5, 0.99, 0.999, 1 }.Select(share => Text(seen[each], share))])],
            [.. cases.Where(each => each.Rate == GoalRate).SelectMany(each => Goals(each.Producer, seen[each]))]);
    }

    private static IEnumerable<string> Goals(PacedProducer producer, List<double[]> rounds)
    {
        yield return Report.Goal($"{GoalRate}/s, {producer.Name}, p50 in ms", Runs.Median(rounds.Select(round => At(round, 0.5))), 2, atLeast: false, decimals: 1);
        yield return Report.Goal($"{GoalRate}/s, {producer.Name}, p99 in ms", Runs.Median(rounds.Select(round => At(round, 0.99))), 5, atLeast: false, decimals: 1);
    }

    private static string Text(List<double[]> rounds, double share)
    {
        double[] values = [.. rounds.Select(round => At(round, share))];
        return $"{Report.Number(Runs.Median(values), 1)} ({Report.Number(values.Min(), 1)} - {Report.Number(values.Max(), 1)})";
    }

    private static double At(double[] sorted, double share) => sorted[Math.Min(sorted.Length - 1, (int)(share * sorted.Length))];

    private static async Task<double[]> MeasureAsync(RabbitNode node, int rate, int count, PacedProducer producer)
    {
        await using Target target = await Target.MakeAsync(node, "latency");
        using var spool = new TempSpool();
        var drain = new AgentDrain(AgentDrain.Configure(spool, [target]));
        using AgentProcess agent = drain.Start();
        await agent.AwaitLogAsync("connected to", TimeSpan.FromMinutes(1));
        await using IConnection connection = await node.ConnectAsync(target.VirtualHost, "consumer");
        await using IChannel channel = await connection.CreateChannelAsync();
        var seen = new ConcurrentQueue<double>();
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += (_, message) =>
        {
            seen.Enqueue((PacedProducer.Now() - long.Parse(Encoding.ASCII.GetString(message.Body.Span), CultureInfo.InvariantCulture)) / 1000.0);
            return Task.CompletedTask;
        };
        await channel.BasicConsumeAsync(Target.Queue, autoAck: true, consumer);

        // The first second is not counted: programs start, code is made.
        await producer.RunAsync(spool.Path, rate, count + rate);
        await Eventually.Is("the consumer has all messages", TimeSpan.FromMinutes(2), () => seen.Count >= count + rate);
        await agent.StopAsync();
        return [.. seen.Skip(rate).Order()];
    }
}
