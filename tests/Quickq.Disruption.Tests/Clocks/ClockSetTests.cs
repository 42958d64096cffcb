using System.Diagnostics;
using System.Globalization;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>The wall clock of the agent's host jumps by a day, forward and back, while messages with a time to live wait and go out.</summary>
[Collection<TwoNodesCollection>]
public sealed class ClockSetTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private const int Day = 86_400;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    public async ValueTask InitializeAsync() => await hosts.First.EnsureServingAsync();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact(Timeout = 300_000)]
    public async Task No_message_expires_by_the_jump_none_is_stuck_and_a_refused_exchange_is_probed_as_before()
    {
        using var spool = new TempSpool();
        string offset = spool.File("offset");
        SetClock(offset, 0);
        BrokerQueue queue = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "satellite");
        AgentConfiguration configuration = new AgentConfiguration(spool.Path)
            .WithServer("mq1", hosts.First, hosts.Name, "satellite")
            .WithServer("dead", "127.0.0.1", FreePort.Next(), "/", "satellite");
        using AgentProcess agent = AgentProcess.Start(configuration, new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["LD_PRELOAD"] = BuildShim(spool),
            ["CLOCK_SHIM"] = offset,
        });
        await agent.AwaitLogAsync("connected to", Limit);

        // An exchange that does not exist yet is suspended: its probes must go on, whatever the clock says.
        var accepted = new List<string> { await AddAsync(spool, "-x", "comes-later", "--ttl", "1h") };
        await agent.AwaitLogAsync("'comes-later' is suspended", Limit);
        await ExchangeJumpAsync("forward", Day);
        await ExchangeJumpAsync("back", 0);
        await ExchangeJumpAsync("back", -Day);
        BrokerQueue later = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "comes-later", "later");
        await later.AwaitCountAsync(1, Limit);
        SetClock(offset, 0);
        accepted.Add(await AddAsync(spool, "--ttl", "1h"));
        await spool.AwaitDeliveredAsync(accepted.Count, Limit, "mq1");

        IReadOnlyList<QueuedMessage> found = [.. await queue.DrainAsync(), .. await later.DrainAsync()];
        Assert.Equal(accepted.Order(StringComparer.Ordinal), found.Select(message => message.MessageId!).Order(StringComparer.Ordinal));
        Assert.All(found, message => Assert.InRange(long.Parse(message.Properties.Expiration!, CultureInfo.InvariantCulture), 3_000_000, 3_600_000));
        Assert.Equal([0, 0], spool.Query<int>("SELECT expired FROM server"));
        Assert.Equal(accepted.Count, spool.Value<int>("SELECT pending FROM server WHERE name = 'dead'"));
        Assert.Equal(0, await agent.StopAsync());

        async Task ExchangeJumpAsync(string direction, int seconds)
        {
            int told = Count(agent.Stderr, "the clock was set");
            SetClock(offset, seconds);
            accepted.Add(await AddAsync(spool, "--ttl", "1h"));
            await Eventually.Is($"the agent says that the clock was set {direction}", Limit, () =>
                Count(agent.Stderr, "the clock was set") > told && agent.Stderr.LastIndexOf($"set {direction} by 1.00:00:00", StringComparison.Ordinal) > 0);
            await spool.AwaitDeliveredAsync(accepted.Count - 1, Limit, "mq1");
        }
    }

    private static async Task<string> AddAsync(TempSpool spool, params string[] options) =>
        (await new SpoolCommand(spool).RunAsync(["add", "-t", "some.key", .. options, "{}"])).MustSucceed().Lines.Single();

    private static int Count(string text, string part) => text.Split(part).Length - 1;

    /// <summary>Written whole or not at all: the agent reads it at any moment.</summary>
    private static void SetClock(string file, int seconds)
    {
        File.WriteAllText(file + ".new", seconds.ToString(CultureInfo.InvariantCulture));
        File.Move(file + ".new", file, overwrite: true);
    }

    private static string BuildShim(TempSpool spool)
    {
        string shim = spool.File("clock-shim.so");
        using Process compiler = Process.Start(new ProcessStartInfo("clang", ["-shared", "-fPIC", "-O1", "-o", shim, Path.Combine(AppContext.BaseDirectory, "clock-shim.c")]) { UseShellExecute = false })!;
        compiler.WaitForExit();
        Assert.Equal(0, compiler.ExitCode);
        return shim;
    }
}
