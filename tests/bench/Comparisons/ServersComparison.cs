using Quickq.Bench.Contestants;
using Quickq.Testing;

namespace Quickq.Bench.Comparisons;

/// <summary>One, two, five and ten servers; and ten of which five are dead against five alone.</summary>
internal static class ServersComparison
{
    public static async Task<Report> RunAsync(BenchOptions options)
    {
        int messages = options.Messages ?? 10_000;
        await using var nodes = new NodeSet();
        RabbitNode node = await nodes.AddAsync("servers");
        int closed = FreePort.Next();
        (int Living, int Dead)[] cases = [(1, 0), (2, 0), (5, 0), (5, 5), (10, 0)];
        var runs = cases.ToDictionary(each => each, _ => new Runs());
        for (int round = 1; round <= (options.Rounds ?? 3); round++)
        {
            foreach ((int Living, int Dead) each in cases)
            {
                Measurement measured = await MeasureAsync(node, each.Living, each.Dead, closed, messages);
                runs[each].Add(measured);
                await Console.Out.WriteLineAsync($"round {round}  {each.Living} living, {each.Dead} dead  {Report.Number(measured.PerSecond),8}/s to each");
            }
        }

        return new Report(
            [$"{Report.Number(messages)} x 1 kB to each living server (virtual hosts of one node)", "messages/s to each", "deliveries/s", "processor us a delivery", "resident MiB, peak"],
            [.. cases.Select(each => (string[])[
                each.Dead == 0 ? $"{each.Living}" : $"{each.Living + each.Dead}, {each.Dead} of them dead", runs[each].RateWithSpread, Report.Number(runs[each].PerSecond * each.Living),
                Report.Number(runs[each].ProcessorMicroseconds / each.Living, 1), Report.Number(runs[each].PeakMebibytes)])],
            Report.Goal("Ten servers, five of them dead: rate to the living against five alone", runs[(5, 5)].PerSecond / runs[(5, 0)].PerSecond, 0.95, atLeast: true));
    }

    private static async Task<Measurement> MeasureAsync(RabbitNode node, int living, int dead, int closedPort, int messages)
    {
        var targets = new List<Target>();
        for (int i = 0; i < living; i++)
        {
            targets.Add(await Target.MakeAsync(node, "servers"));
        }

        using var spool = new TempSpool();
        AgentConfiguration configuration = AgentDrain.Configure(spool, targets);
        for (int i = 1; i <= dead; i++)
        {
            configuration.WithServer($"dead{i}", "127.0.0.1", closedPort, "/", Target.Exchange);
        }

        var drain = new AgentDrain(configuration);
        await drain.IntroduceServersAsync();
        drain.Fill(messages, 1_000);
        using AgentProcess agent = drain.Start();
        Measurement measured = await drain.MeasureAsync(agent, messages / 10, messages, server => server.Name.StartsWith("mq", StringComparison.Ordinal));
        await agent.StopAsync();
        foreach (Target target in targets)
        {
            await target.DisposeAsync();
        }

        return measured;
    }
}
