using System.Globalization;
using System.Text.Json;
using Quickq.Spool.Files;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>Another program fills the disk of the spool to the last byte, again and again.</summary>
[Collection<TwoNodesCollection>]
public sealed class FullDiskTests(VirtualHostPair hosts, ITestOutputHelper output) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private const int Cycles = 10;
    private const int Pending = 1000;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    public async ValueTask InitializeAsync() => await hosts.First.EnsureServingAsync();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact(Timeout = 600_000)]
    public async Task Ten_times_add_answers_75_delivery_goes_on_and_with_the_space_back_add_works_again()
    {
        using var disk = SmallDisk.Ext4(mebibytes: 40);
        using var spool = new TempSpool(disk.Folder);
        using var elsewhere = new TempFolder();
        BrokerQueue queue = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "satellite");
        string file = elsewhere.File("quickq.json");
        new AgentConfiguration(spool.Path).WithServer("mq1", hosts.First, hosts.Name, "satellite").WriteTo(file);
        AgentProcess agent = AgentProcess.Start(spool.Path, ["--config", file]);
        using var last = new Last(() => agent);
        await spool.AwaitServersAsync(Limit);
        string reserve = spool.File("spool.db.reserve");
        var accepted = new List<string>();
        int refused = 0, givenUp = 0;
        for (int cycle = 1; cycle <= Cycles; cycle++)
        {
            await Eventually.Is("the agent has its reserve", Limit, () => File.Exists(reserve));

            // In turns: an agent that was there before the disk was full, and one that is started on it.
            bool restart = cycle % 2 == 0;
            if (restart)
            {
                await agent.AwaitLogAsync("connected to", Limit);
                Assert.Equal(0, await agent.StopAsync());
            }
            else
            {
                await PauseAsync(agent, spool);
            }

            accepted.AddRange(await AddAsync(spool, cycle, Pending));
            disk.Fill();
            MustBeRefused(await AddOneAsync(spool));
            refused++;
            if (restart)
            {
                givenUp += GivenUp(agent);
                agent.Dispose();
                agent = AgentProcess.Start(spool.Path, ["--config", file]);
            }
            else
            {
                agent.Resume();
            }

            await AwaitDeliveredAsync(spool, accepted.Count);

            // The agent gave its reserve up and may have removed what is settled: all of that room is taken from it, too.
            await PauseAsync(agent, spool);
            disk.Fill();
            MustBeRefused(await AddOneAsync(spool));
            refused++;
            agent.Resume();
            disk.Empty();
            await Eventually.Is("add works again", Limit, async () =>
            {
                CommandResult added = await AddOneAsync(spool);
                accepted.AddRange(added.ExitCode == 0 ? added.Lines : []);
                return added.ExitCode == 0;
            });
        }

        await spool.AwaitDeliveredAsync(accepted.Count, Limit, "mq1");
        Assert.Equal(0, await agent.StopAsync());
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{refused} refusals, the reserve was given up {givenUp + GivenUp(agent)} times"));
        Assert.Equal(accepted.Order(StringComparer.Ordinal), (await queue.DrainAsync()).Select(message => message.MessageId!).Order(StringComparer.Ordinal));
    }

    /// <summary>Freezes the agent, but not while it holds the write lock: then <c>add</c> would wait for it.</summary>
    private static async Task PauseAsync(AgentProcess agent, TempSpool spool)
    {
        using var turn = new WriteLock(spool.Path);
        turn.Acquire(Limit);
        await agent.PauseAsync();
        turn.Release(announce: false);
    }

    private static async Task<IReadOnlyList<string>> AddAsync(TempSpool spool, int cycle, int count)
    {
        string lines = string.Join('\n', Enumerable.Range(0, count).Select(i => $$"""{"cycle":{{cycle}},"number":{{i}},"text":"{{Some.Word(900)}}"}"""));
        CommandResult added = await new SpoolCommand(spool).RunWithInputAsync(System.Text.Encoding.UTF8.GetBytes(lines), "add", "--lines", "-t", "full.disk");
        return added.MustSucceed().Lines;
    }

    private static Task<CommandResult> AddOneAsync(TempSpool spool) => new SpoolCommand(spool).RunAsync("add", "-t", "one.more", "{}");

    private static void MustBeRefused(CommandResult added)
    {
        Assert.True(added.ExitCode == 75, $"exit {added.ExitCode}: {added.Stdout}{added.Stderr}");
        Assert.Matches("^quickq-spool: the (disk is nearly full: .* are free, .* are kept|file system of .* is full); nothing was stored; free some space", added.Stderr);
    }

    /// <summary>As a user would see it: a look may find no room for SQLite's index until the agent has given up its reserve, and must say so.</summary>
    private static Task AwaitDeliveredAsync(TempSpool spool, int count) => Eventually.Gives($"status says {count} delivered", count, Limit, async () =>
    {
        CommandResult status = await new SpoolCommand(spool).RunAsync("status", "--json");
        if (status.ExitCode == 75)
        {
            Assert.Contains("the file system of ", status.Stderr, StringComparison.Ordinal);
            return -1;
        }

        using var json = JsonDocument.Parse(status.MustSucceed().Stdout);
        return json.RootElement.GetProperty("servers")[0].GetProperty("delivered").GetInt32();
    });

    private static int GivenUp(AgentProcess agent) => agent.Stderr.Split('\n').Count(line => line.Contains("gives up its reserve", StringComparison.Ordinal));

    /// <summary>Whichever agent runs at the end.</summary>
    private sealed class Last(Func<AgentProcess> agent) : IDisposable
    {
        public void Dispose() => agent().Dispose();
    }
}
