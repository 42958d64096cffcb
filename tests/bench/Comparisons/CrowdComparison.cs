using Quickq.Bench.Contestants;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Bench.Comparisons;

/// <summary>Fifty producers at once while the agent drains and checkpoints and status is read: how long one add takes, and what of it is the machine's and what the spool's.</summary>
internal static class CrowdComparison
{
    private const double GoalMilliseconds = 250;

    private static readonly (string Kind, string Name)[] Kinds =
    [
        (Crowd.Processes, "`add`, a process each"),
        (Crowd.Empty, "for comparison an empty program (`true`), a process each"),
        (Crowd.Lines, "100 lines by an `add --lines` that runs"),
        (Crowd.Python, "`publish` in a Python program that runs"),
        (Crowd.DotNet, "`Append` in a .NET program that runs"),
    ];

    public static async Task<Report> RunAsync(BenchOptions options)
    {
        var length = TimeSpan.FromSeconds(options.Seconds ?? 30);
        await using var nodes = new NodeSet();
        await using Target target = await Target.MakeAsync(await nodes.AddAsync("producers"), "producers");
        using var spool = new TempSpool();
        var drain = new AgentDrain(AgentDrain.Configure(spool, [target]));
        await drain.IntroduceServersAsync();
        using AgentProcess agent = drain.Start();
        await agent.AwaitLogAsync("connected to", TimeSpan.FromMinutes(1));
        var crowd = new Crowd();
        Task producing = crowd.ProduceAsync(spool.Path, length, options.Pythons.Count > 0 ? options.Pythons : [PythonScript.System]);
        int looks = await WatchAsync(spool, producing);
        await producing;
        await drain.AwaitAllDeliveredAsync(agent, crowd.Ids.Count);
        await target.RequireAsync(crowd.Ids.Distinct(StringComparer.Ordinal).Count());
        await agent.StopAsync();
        (string Name, CallTime[] Sorted)[] seen = [.. Kinds.Select(each => (each.Name, crowd.TimesOf(each.Kind).OrderBy(time => time.Elapsed).ToArray()))];
        return new Report(
            [$"{Crowd.Size} producers at once, {length.TotalSeconds:0} s", "adds", "p50 ms", "p99", "longest", "on average: ran, waited for a processor, waited for the spool", "the slowest hundredth likewise"],
            [.. seen.Select(each => (string[])[
                each.Name, Report.Number(each.Sorted.Length), Text(At(each.Sorted, 0.5)), Text(At(each.Sorted, 0.99)), Text(At(each.Sorted, 1)),
                Parts(each.Sorted), Parts(each.Sorted[^Math.Max(1, each.Sorted.Length / 100)..])])],
            [.. seen.Where((_, i) => Kinds[i].Kind is not Crowd.Empty).Select(each => Report.Goal($"{each.Name}, p99 in ms", At(each.Sorted, 0.99), GoalMilliseconds, atLeast: false, decimals: 0)),
             $"{Report.Number(crowd.Ids.Count)} messages accepted in all, each arrived once; status was read {Report.Number(looks)} times meanwhile"]);
    }

    private static async Task<int> WatchAsync(TempSpool spool, Task producing)
    {
        int looks = 0;
        for (; !producing.IsCompleted; looks++)
        {
            (await new SpoolCommand(spool).RunAsync("status")).MustSucceed();
        }

        return looks;
    }

    private static double At(CallTime[] sorted, double share) => sorted[Math.Min(sorted.Length - 1, (int)(share * sorted.Length))].Elapsed;

    private static string Parts(CallTime[] times) => $"{Text(times.Average(time => time.Ran))}, {Text(times.Average(time => time.Queued))}, {Text(times.Average(time => time.Rest))}";

    private static string Text(double milliseconds) => Report.Number(milliseconds, milliseconds < 100 ? 1 : 0);
}
