using Quickq.Bench.Contestants;
using Quickq.Testing;

namespace Quickq.Bench.Comparisons;

/// <summary>A drain of messages that were accepted before their server was known, beside one of messages that were its own from the beginning.</summary>
internal static class LateServerComparison
{
    public static async Task<Report> RunAsync(BenchOptions options)
    {
        int messages = options.Messages ?? 60_000;
        (Runs known, Runs late) = (new Runs(), new Runs());
        await using var nodes = new NodeSet();
        RabbitNode node = await nodes.AddAsync("late");
        for (int round = 0; round < (options.Rounds ?? 3); round++)
        {
            known.Add(await MeasureAsync(node, messages, introduce: true));
            late.Add(await MeasureAsync(node, messages, introduce: false));
        }

        return new Report(
            [$"{Report.Number(messages)} x 1 kB", "messages/s", "processor us a message"],
            [["accepted when the server was known", known.RateWithSpread, known.CostWithSpread], ["accepted before: assigned while it drains", late.RateWithSpread, late.CostWithSpread]],
            Report.Goal("Rate of the second against the first", late.PerSecond / known.PerSecond, 0.9, atLeast: true));
    }

    private static async Task<Measurement> MeasureAsync(RabbitNode node, int messages, bool introduce)
    {
        await using Target target = await Target.MakeAsync(node, "late");
        using var spool = new TempSpool();
        var drain = new AgentDrain(AgentDrain.Configure(spool, [target]));
        if (introduce)
        {
            await drain.IntroduceServersAsync();
        }

        drain.Fill(messages, 1_000);
        using AgentProcess agent = drain.Start();
        Measurement measured = await drain.MeasureAsync(agent, messages / 10, messages);
        await agent.StopAsync();
        return measured;
    }
}
