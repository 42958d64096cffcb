using System.Diagnostics;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Bench.Comparisons;

/// <summary>What one message in 10,000 that the server does not take costs the others: a spool drained with and without such ones, by turns, medians.</summary>
internal static class PoisonComparison
{
    private const string Clean = "none", TooLarge = "too large", Forbidden = "forbidden key", Unnamed = "invalid, unnamed";
    private const string Exchange = "satellite", User = "oper";
    private const int OneIn = 10_000;

    public static async Task<Report> RunAsync(BenchOptions options)
    {
        (int messages, int rounds) = (options.Messages ?? 100_000, options.Rounds ?? 3);
        await using RabbitNode node = RabbitNode.Create("bench", "max_message_size = 4096");
        await node.StartAsync();
        await node.CtlAsync("add_user", User, User);
        string[] kinds = [Clean, TooLarge, Forbidden, Unnamed];
        var rates = kinds.ToDictionary(kind => kind, _ => new List<double>(), StringComparer.Ordinal);
        for (int round = 1; round <= rounds; round++)
        {
            foreach (string kind in kinds)
            {
                double rate = await DrainAsync(node, $"poison-{round}-{Array.IndexOf(kinds, kind)}", kind, messages);
                rates[kind].Add(rate);
                await Console.Out.WriteLineAsync($"round {round}  {kind,-20} {Report.Number(rate),8}/s");
            }
        }

        double clean = Runs.Median(rates[Clean]);
        return new Report(
            [$"{Report.Number(messages)} x 1 kB, one in {Report.Number(OneIn)} not taken: why, {rounds} rounds", "messages/s", "against none"],
            [.. rates.Select(each => (string[])[
                each.Key, $"{Report.Number(Runs.Median(each.Value))} ({Report.Number(each.Value.Min())} - {Report.Number(each.Value.Max())})", Report.Number(Runs.Median(each.Value) / clean, 2)])],
            [.. rates.Where(each => each.Key is not Clean).Select(each => Report.Goal(each.Key, Runs.Median(each.Value) / clean, 0.8, atLeast: true))]);
    }

    private static async Task<double> DrainAsync(RabbitNode node, string virtualHost, string kind, int messages)
    {
        await node.CreateVirtualHostAsync(virtualHost);
        await BrokerQueue.DeclareAsync(node, virtualHost, Exchange);
        await node.CtlAsync("set_permissions", "--vhost", virtualHost, User, ".*", ".*", ".*");
        await node.CtlAsync("set_topic_permissions", "--vhost", virtualHost, User, Exchange, "^good.*", ".*");
        using var spool = new TempSpool();
        AgentConfiguration configuration = new AgentConfiguration(spool.Path)
            .WithServer("mq1", node, virtualHost, Exchange, server => (server["user"], server["password"]) = (User, User));

        // The server is known before the messages come.
        using (AgentProcess first = AgentProcess.Start(configuration))
        {
            await first.AwaitLogAsync("connected to", TimeSpan.FromMinutes(1));
            await first.StopAsync();
        }

        int poisoned = Fill(spool.Path, kind, messages);
        using AgentProcess agent = AgentProcess.Start(configuration);
        using SpoolReader reader = SpoolReader.Open(spool.Path);
        await AwaitDeliveredAsync(reader, messages / 20);
        long before = Delivered(reader);
        var watch = Stopwatch.StartNew();
        await AwaitDeliveredAsync(reader, messages - poisoned);
        double rate = (messages - poisoned - before) / watch.Elapsed.TotalSeconds;
        await agent.StopAsync();
        await node.CtlAsync("delete_vhost", virtualHost);
        return rate;
    }

    private static long Delivered(SpoolReader reader) => reader.ReadOverview().Servers.Sum(server => server.Delivered);

    private static Task AwaitDeliveredAsync(SpoolReader reader, int count) =>
        Eventually.Closely($"{count} messages are delivered", TimeSpan.FromMinutes(10), () => Delivered(reader) >= count);

    private static int Fill(string path, string kind, int messages)
    {
        using SpoolWriter writer = SpoolWriter.Open(path);
        var good = new OutgoingMessage { RoutingKey = "good.band.end", Body = new byte[1_000], Properties = new MessageProperties { ContentType = "application/json" } };
        OutgoingMessage bad = kind switch
        {
            TooLarge => good with { Body = new byte[5_000] },
            Forbidden => good with { RoutingKey = "bad.band.end" },
            Unnamed => good with { Properties = new MessageProperties { Headers = new Dictionary<string, object?>(StringComparer.Ordinal) { ["CC"] = "not a list" } } },
            _ => good,
        };
        foreach (int[] numbers in Enumerable.Range(0, messages).Chunk(1_000))
        {
            writer.AppendMany([.. numbers.Select(number => number % OneIn == OneIn / 2 ? bad : good)]);
        }

        return ReferenceEquals(bad, good) ? 0 : (messages + (OneIn / 2) - 1) / OneIn;
    }
}
