using System.Globalization;
using System.Text;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>What was delivered is history, and history never refuses a producer.</summary>
[Collection<TwoNodesCollection>]
public sealed class HistoryTests(VirtualHostPair hosts, ITestOutputHelper output) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private const int Batch = 2000;
    private const int Bytes = 1000;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    public async ValueTask InitializeAsync() => await hosts.First.EnsureServingAsync();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact(Timeout = 300_000)]
    public async Task Forty_megabytes_go_through_a_spool_of_twenty_with_seven_days_of_retention()
    {
        using var spool = new TempSpool();
        BrokerQueue queue = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "satellite");
        AgentConfiguration configuration = new AgentConfiguration(spool.Path).WithServer("mq1", hosts.First, hosts.Name, "satellite");
        configuration.Root["spool"]!["maxSize"] = "20MiB";
        configuration.Root["spool"]!["retention"] = "7d";
        using AgentProcess agent = AgentProcess.Start(configuration);
        await agent.AwaitLogAsync("connected to", Limit);
        long sent = 0;
        int accepted = 0;
        while (sent < 40_000_000)
        {
            string lines = string.Join('\n', Enumerable.Range(accepted, Batch).Select(i => $$"""{"number":{{i}},"text":"{{Some.Word(Bytes)}}"}"""));
            sent += lines.Length;
            CommandResult added = await new SpoolCommand(spool).RunWithInputAsync(Encoding.UTF8.GetBytes(lines), "add", "--lines", "-t", "some.key");
            Assert.True(added.ExitCode == 0, $"after {accepted} messages: exit {added.ExitCode}: {added.Stderr}");
            accepted += added.Lines.Count;

            // What waits for a server may refuse: only history may not.
            await spool.AwaitDeliveredAsync(accepted, Limit, "mq1");
        }

        Assert.Contains("are removed before their retention is over", agent.Stderr, StringComparison.Ordinal);
        await queue.AwaitCountAsync(accepted, Limit);
        IReadOnlyList<long> left = spool.Query<long>("SELECT seq FROM message ORDER BY seq");
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{sent:N0} bytes in {accepted:N0} messages accepted, the newest {left.Count:N0} are left"));
        Assert.Equal(accepted, left[^1]);
        Assert.Equal(Enumerable.Range(0, left.Count).Select(i => left[0] + i), left);
        Assert.Equal(0, await agent.StopAsync());
    }
}
