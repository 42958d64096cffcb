using System.Globalization;
using Quickq.Testing;

namespace Quickq.Bench.Contestants;

/// <summary>A program that sends messages to all targets at an even pace.</summary>
/// <param name="Name">As it stands in the table.</param>
/// <param name="IsClientAlone">Whether it is RabbitMQ.Client without Quickq.</param>
/// <param name="StartAsync">Starts it: targets, messages a second, how many to each target. Returns when it sends.</param>
internal sealed record PacedSender(string Name, bool IsClientAlone, Func<IReadOnlyList<Target>, int, int, Task<PacedRun>> StartAsync)
{
    private const int Bytes = 1_000;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    /// <summary>What the agent sets in its runtimeconfig.json.</summary>
    private static readonly Dictionary<string, string?> AgentRuntime = new(StringComparer.Ordinal)
    {
        ["DOTNET_gcConcurrent"] = "0",
        ["DOTNET_TieredPGO"] = "0",
        ["DOTNET_ThreadPool_UnfairSemaphoreSpinLimit"] = "0",
    };

    public static PacedSender Agent { get; } = new("Quickq", IsClientAlone: false, StartAgentAsync);

    public static IReadOnlyList<PacedSender> All { get; } =
    [
        new("RabbitMQ.Client alone, one by one with confirms", IsClientAlone: true, (targets, rate, count) => StartClientAsync(targets, rate, count, environment: null)),
        new("the same, with the agent's runtime settings", IsClientAlone: true, (targets, rate, count) => StartClientAsync(targets, rate, count, AgentRuntime)),
        new("QuickMQ's way (python3-amqp)", IsClientAlone: false, StartQuickMqAsync),
        Agent,
    ];

    private static async Task<PacedRun> StartAgentAsync(IReadOnlyList<Target> targets, int rate, int count)
    {
        var spool = new TempSpool();
        var drain = new AgentDrain(AgentDrain.Configure(spool, targets));
        await drain.IntroduceServersAsync();
        AgentProcess agent = drain.Start();
        foreach (int number in Enumerable.Range(1, targets.Count))
        {
            await agent.AwaitLogAsync($"mq{number}: connected", Limit);
        }

        var enough = new CancellationTokenSource();
        Task producing = PacedProducer.ProduceAsync(spool.Path, rate, count, Bytes, enough.Token);
        return new PacedRun(agent.Pid, () =>
        {
            enough.Cancel();
            producing.GetAwaiter().GetResult();
            enough.Dispose();
            agent.Dispose();
            spool.Dispose();
        });
    }

    private static async Task<PacedRun> StartClientAsync(IReadOnlyList<Target> targets, int rate, int count, IReadOnlyDictionary<string, string?>? environment)
    {
        ChildProcess child = ChildProcess.Start(
            Environment.ProcessPath!, ["contestant", ClientAlone.OneByOne, string.Join(',', targets.Select(target => target.Address)), Text(count), Text(Bytes), Text(rate)], environment);
        child.Stdin.Close();
        await Eventually.Is("the client sends", Limit, () => child.Stdout.Contains(ClientAlone.Ready, StringComparison.Ordinal) || child.HasExited);
        return child.HasExited ? throw new InvalidOperationException($"the contestant ended: {child.Stderr}") : new PacedRun(child.Pid, child.Dispose);
    }

    private static Task<PacedRun> StartQuickMqAsync(IReadOnlyList<Target> targets, int rate, int count)
    {
        ChildProcess child = PythonScript.Start("quickmq_way.py", ["--rate", Text(rate), Text(count), Text(Bytes), .. targets.Select(target => target.Address)]);
        return Task.FromResult(new PacedRun(child.Pid, child.Dispose));
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}

/// <summary>One that runs, until it is disposed.</summary>
internal sealed class PacedRun(int pid, Action end) : IDisposable
{
    public int Pid => pid;

    public void Dispose() => end();
}
