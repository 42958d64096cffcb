using Dapper;
using Microsoft.Data.Sqlite;
using Quickq.Spool.Files;
using Quickq.Testing;
using Quickq.Testing.Auditing;

namespace Quickq.Disruption.Tests;

/// <summary>Messages that were accepted while no server was known go to every server, in order, when the agent first comes.</summary>
[Collection<TwoNodesCollection>]
public sealed class UnassignedMessagesTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private const int Many = 12_000;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    public async ValueTask InitializeAsync() => await Task.WhenAll(hosts.First.EnsureServingAsync(), hosts.Second.EnsureServingAsync());

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact(Timeout = 240_000)]
    public async Task They_are_counted_as_unassigned_and_reach_every_server_in_order_when_the_agent_first_comes()
    {
        using var spool = new TempSpool();
        var (first, second) = await DeclareAsync("satellite");
        using var producer = LineProducer.Start(spool, SsecEvents.All.Take(700), "satellite", TimeSpan.Zero);
        var accepted = await producer.FinishAsync();
        var before = await spool.StatusAsync();

        using var agent = StartAgent(spool, "satellite");
        await spool.AwaitDeliveredAsync(accepted.Count, Limit, "mq1", "mq2");
        Assert.Equal(0, await agent.StopAsync());

        Assert.Equal(accepted.Count, before.GetProperty("spool").GetProperty("unassigned").GetInt32());
        Assert.Equal(0, before.GetProperty("servers").GetArrayLength());
        Assert.Equal(0, (await spool.StatusAsync()).GetProperty("spool").GetProperty("unassigned").GetInt32());
        Audit.Of(spool, accepted).Server("mq1", await first.DrainAsync()).Server("mq2", await second.DrainAsync()).MustBeClean();
    }

    [Fact(Timeout = 300_000)]
    public async Task What_is_added_while_the_assignment_is_under_way_comes_behind_it()
    {
        using var spool = new TempSpool();
        var (first, second) = await DeclareAsync("himawari");
        var early = await FillAsync(spool);
        using var turn = new WriteLock(spool.Path);
        using var agent = StartAgent(spool, "himawari", window: 2 * Many);

        await TakeTurnAmidAssignmentAsync(turn, spool);
        await agent.PauseAsync();
        turn.Release(announce: false);
        using var producer = LineProducer.Start(spool, SsecEvents.All.Take(100), "himawari", TimeSpan.Zero);
        var late = await producer.FinishAsync();
        var assigned = Many - (int)spool.Value<long>("SELECT count(*) FROM unassigned");

        // The assignment cannot go on: what is assigned goes out, and what was added behind the gap must wait.
        turn.Acquire(Limit);
        agent.Resume();
        await Task.WhenAll(first.AwaitCountAsync(assigned, Limit), second.AwaitCountAsync(assigned, Limit));
        turn.Release(announce: false);

        await spool.AwaitDeliveredAsync(Many + late.Count, Limit, "mq1", "mq2");
        Assert.Equal(0, await agent.StopAsync());

        Audit.Of(spool, early, late).Server("mq1", await first.DrainAsync()).Server("mq2", await second.DrainAsync()).MustBeClean();
    }

    /// <summary>Adds many small messages at once, as the sqlite3 program could: through the table alone.</summary>
    private static async Task<IReadOnlyList<AcceptedMessage>> FillAsync(TempSpool spool)
    {
        (await new SpoolCommand(spool).RunAsync("add", "-t", "number.0", "-x", "himawari", "--id", "number-0", "0")).MustSucceed();
        using (var connection = new SqliteConnection($"Data Source={spool.Path};Pooling=False"))
        {
            connection.Open();
            connection.Execute(
                """
                INSERT INTO message (id, exchange, routing_key, properties, body)
                WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < @last)
                SELECT 'number-' || n, 'himawari', 'number.' || n, '{"contentType":"application/octet-stream"}', CAST(CAST(n AS TEXT) AS BLOB) FROM number
                """,
                new { last = Many - 1 });
        }

        return [.. Enumerable.Range(0, Many).Select(n =>
            new AcceptedMessage($"number-{n}", "himawari", $"number.{n}", System.Text.Encoding.UTF8.GetBytes($"{n}"), "application/octet-stream"))];
    }

    /// <summary>Takes the lock for writing between two steps of the assignment: who asks for it is served after the step that runs, so none is missed.</summary>
    private static Task TakeTurnAmidAssignmentAsync(WriteLock turn, TempSpool spool) => Task.Factory.StartNew(
        () =>
        {
            while (true)
            {
                turn.Acquire(Limit);
                var left = spool.Value<long>("SELECT value FROM tally WHERE name = 'unassigned'");
                Assert.True(left > 0, "the assignment was over before its steps were seen");
                if (left < Many)
                {
                    return;
                }

                turn.Release(announce: false);
            }
        },
        CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private async Task<(BrokerQueue First, BrokerQueue Second)> DeclareAsync(string exchange) =>
        (await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, exchange, $"of-{exchange}"), await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, exchange, $"of-{exchange}"));

    private AgentProcess StartAgent(TempSpool spool, string exchange, int window = 1000) => AgentProcess.Start(new AgentConfiguration(spool.Path)
        .WithServer("mq1", hosts.First, hosts.Name, exchange, server => server["window"] = window)
        .WithServer("mq2", hosts.Second, hosts.Name, exchange, server => server["window"] = window));
}
