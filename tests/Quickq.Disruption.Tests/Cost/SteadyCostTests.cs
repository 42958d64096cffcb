using System.Globalization;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>
/// What the agent asks of the kernel, and how often its threads go to sleep, for each delivery at the load that people have: fifty messages a second to two servers.
/// Counts, not times: the limits are far above what is seen on a quiet machine, and far below what it was when every commit woke every thread.
/// </summary>
[Collection<TwoNodesCollection>]
public sealed class SteadyCostTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>
{
    private const int Interrupt = 2;
    private const int Messages = 300;
    private const int Deliveries = 2 * Messages;

    // Counted on 2026-11-27 on a very busy machine: 32 to 36 calls and 5 to 6 sleeps; of the agent before that day 107 and 16.
    private const int MostCalls = 60;
    private const int MostSleeps = 11;

    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    [Fact(Timeout = 180_000)]
    public async Task A_delivery_at_fifty_messages_a_second_costs_few_calls_of_the_kernel_and_few_sleeps()
    {
        using var spool = new TempSpool();
        await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "steady", "steady");
        await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, "steady", "steady");

        // Not beside the spool, as where it is installed: the agent watches the folder of its configuration too.
        string folder = Directory.CreateDirectory(Path.Combine(Path.GetDirectoryName(spool.Path)!, "etc")).FullName;
        var configuration = new AgentConfiguration(spool.Path) { FilePath = Path.Combine(folder, "quickq.json") };
        using var agent = AgentProcess.Start(configuration.WithServer("mq1", hosts.First, hosts.Name, "steady").WithServer("mq2", hosts.Second, hosts.Name, "steady"));
        await agent.AwaitLogAsync("mq1: connected", Limit);
        await agent.AwaitLogAsync("mq2: connected", Limit);
        using SpoolWriter writer = SpoolWriter.Open(spool.Path);
        await ProduceAsync(writer);
        await AwaitDeliveredAsync(spool, Messages);

        long before = Sleeps(agent.Pid);
        await ProduceAsync(writer);
        await AwaitDeliveredAsync(spool, 2 * Messages);
        long sleeps = Sleeps(agent.Pid) - before;
        using ChildProcess strace = ChildProcess.Start("strace", ["-c", "-f", "-U", "calls,name", "-p", agent.Pid.ToString(CultureInfo.InvariantCulture)]);
        await Eventually.Is("strace is attached", Limit, () => strace.Stderr.Contains("attached", StringComparison.Ordinal));
        await ProduceAsync(writer);
        await AwaitDeliveredAsync(spool, 3 * Messages);
        strace.Signal(Interrupt);
        await strace.WaitForExitAsync(Limit);
        int calls = CallsIn(strace.Stderr);
        Assert.Equal(0, await agent.StopAsync());

        Assert.True(
            calls <= MostCalls * Deliveries && sleeps <= MostSleeps * Deliveries,
            $"{(double)calls / Deliveries:0.0} calls (at most {MostCalls}) and {(double)sleeps / Deliveries:0.0} sleeps (at most {MostSleeps}) for each delivery:\n{string.Join('\n', strace.Stderr.Split('\n').Where(static line => !line.StartsWith("strace:", StringComparison.Ordinal)))}");
    }

    private static async Task ProduceAsync(SpoolWriter writer)
    {
        using var pace = new PeriodicTimer(Pace, TimeProvider.System);
        for (int i = 0; i < Messages; i++)
        {
            await pace.WaitForNextTickAsync();
            writer.Append(new OutgoingMessage { RoutingKey = "geo.goes.g16", Exchange = "steady", Body = new byte[1_000] });
        }
    }

    private static Task AwaitDeliveredAsync(TempSpool spool, int count) =>
        Eventually.Is($"{count} messages are delivered to both", Limit, () => spool.Value<long>("SELECT min(delivered) FROM server") >= count);

    /// <summary>How often the threads of a process that live now have gone to sleep by themselves.</summary>
    private static long Sleeps(int pid) => Directory.GetDirectories($"/proc/{pid}/task").Sum(SleepsOf);

    private static long SleepsOf(string thread)
    {
        try
        {
            string line = File.ReadLines($"{thread}/status").First(static line => line.StartsWith("voluntary_ctxt_switches:", StringComparison.Ordinal));
            return long.Parse(line.Split(':')[1], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0; // it ended just now
        }
    }

    /// <summary>Two columns, calls and name; the last line has the sum.</summary>
    private static int CallsIn(string summary) =>
        int.Parse(summary.Split('\n').Last(line => line.TrimEnd().EndsWith(" total", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[0], CultureInfo.InvariantCulture);
}
