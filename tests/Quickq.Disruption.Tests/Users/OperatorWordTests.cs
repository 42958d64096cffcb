using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Quickq.Testing;
using Quickq.Testing.Auditing;

namespace Quickq.Disruption.Tests;

/// <summary>What an operator says with quickq-spool takes effect at a running agent at once: it does not wait until something is due.</summary>
[Collection<TwoNodesCollection>]
public sealed class OperatorWordTests(VirtualHostPair hosts, ITestOutputHelper output) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private const int Longest = 240_000;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    /// <summary>The agent looks by itself every five seconds: who is quicker was told.</summary>
    private static readonly TimeSpan Told = TimeSpan.FromSeconds(4);

    private readonly string _exchange = $"word-{Some.Word()}";

    public async ValueTask InitializeAsync() => await Task.WhenAll(hosts.First.EnsureServingAsync(), hosts.Second.EnsureServingAsync());

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact(Timeout = Longest)]
    public async Task Retry_of_a_message_whose_exchange_is_suspended_probes_at_once_and_all_that_waits_there_goes_out()
    {
        using var spool = new TempSpool();
        using var agent = await StartAsync(spool, server => server["window"] = 10);
        var accepted = await AddAsync(spool, "geo", 5);

        // The longer it is missing the less often it is asked for: by now it would take a while.
        await Eventually.Is("the next probe is at least ten seconds off", Limit, () => NextProbeAt(spool) > TimeProvider.System.GetUtcNow() + TimeSpan.FromSeconds(10));
        var due = NextProbeAt(spool);
        var queue = await DeclareAsync();
        var listed = (await RunAsync(spool, "list", "--state", "deferred")).Lines.Count(line => line.Contains("geo", StringComparison.Ordinal));
        await RunAsync(spool, "retry", accepted[3].Id);
        await spool.AwaitDeliveredAsync(5, Limit, "mq1");
        var last = TimeProvider.System.GetUtcNow();
        Assert.Equal(0, await agent.StopAsync());

        Assert.Equal(5, listed);
        Assert.True(last < due, string.Create(CultureInfo.InvariantCulture, $"delivered at {last:O}, but the next probe was due at {due:O} anyway"));
        Assert.Equal(0, spool.Value<int>("SELECT count(*) FROM delivery WHERE attempts <> 1"));
        Audit.Of(spool, accepted).Server("mq1", await queue.DrainAsync()).MustBeClean();
    }

    [Fact(Timeout = Longest)]
    public async Task Retry_hold_and_release_by_id_by_state_and_by_server_change_just_what_they_name()
    {
        using var spool = new TempSpool();
        await DeclareAsync("other.#");
        using var agent = await StartAsync(spool, server => server["unroutable"] = "park");
        var accepted = await AddAsync(spool, "geo", 4);
        await AwaitCountAsync(spool, 4, "rejected");
        var queue = await DeclareAsync();

        await RunAsync(spool, "retry", accepted[0].Id);
        await spool.AwaitDeliveredAsync(1, Limit, "mq1");
        await RunAsync(spool, "hold", accepted[1].Id);
        await AwaitCountAsync(spool, 1, "held");
        await RunAsync(spool, "retry", "--state", "rejected", "--yes");
        await spool.AwaitDeliveredAsync(3, Limit, "mq1");
        await RunAsync(spool, "release", "--server", "mq1", "--yes");
        await spool.AwaitDeliveredAsync(4, Limit, "mq1");
        Assert.Equal(0, await agent.StopAsync());

        string[] wanted = [accepted[0].Id, accepted[2].Id, accepted[3].Id, accepted[1].Id];
        Assert.Equal(wanted, (await queue.DrainAsync()).Select(message => message.MessageId));
    }

    [Fact(Timeout = Longest)]
    public async Task Pause_and_resume_stop_and_start_one_server_at_once_and_the_other_goes_on()
    {
        await using var scene = await FaultScene.OpenAsync(hosts);
        var quickest = TimeSpan.MaxValue;
        for (var time = 0; time < 3; time++)
        {
            var clock = Stopwatch.StartNew();
            await RunAsync(scene.Spool, "pause", "mq2");
            await Eventually.Closely("mq2 is paused", Limit, () => scene.Spool.Value<string>("SELECT connection FROM server WHERE name = 'mq2'") is "paused");
            quickest = clock.Elapsed < quickest ? clock.Elapsed : quickest;

            // What was out at that moment is confirmed by then; nothing follows while the other server goes on.
            await scene.AwaitBacklogAsync(2 * FaultScene.Window);
            var stopped = scene.Spool.CountDelivered("mq2");
            await scene.AwaitBacklogAsync(300);
            Assert.Equal(stopped, scene.Spool.CountDelivered("mq2"));

            clock.Restart();
            await RunAsync(scene.Spool, "resume", "mq2");
            await Eventually.Closely("mq2 goes on", Limit, () => scene.Spool.CountDelivered("mq2") > stopped);
            quickest = clock.Elapsed < quickest ? clock.Elapsed : quickest;
            await scene.AwaitFlowAsync(300);
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"the quickest took {quickest.TotalSeconds:N2} s, the command included"));
        await scene.MustEndCleanAsync();
        Assert.InRange(quickest, TimeSpan.Zero, Told);
        Assert.Equal(3, scene.CountLogged("mq2: paused"));
        Assert.Equal(0, scene.CountLogged("connection to"));
    }

    private async Task<AgentProcess> StartAsync(TempSpool spool, Action<JsonObject> adjust)
    {
        var agent = AgentProcess.Start(new AgentConfiguration(spool.Path).WithServer("mq1", hosts.First, hosts.Name, _exchange, adjust));
        await agent.AwaitLogAsync("mq1: connected", Limit);
        return agent;
    }

    private Task<BrokerQueue> DeclareAsync(string pattern = "#") => BrokerQueue.DeclareAsync(hosts.First, hosts.Name, _exchange, $"{_exchange}-{pattern[0]}", pattern);

    private async Task<IReadOnlyList<AcceptedMessage>> AddAsync(TempSpool spool, string topic, int count)
    {
        var accepted = new List<AcceptedMessage>();
        for (var number = 0; number < count; number++)
        {
            var body = Some.Json(200);
            var id = (await new SpoolCommand(spool).RunWithInputAsync(body, "add", "-t", topic)).MustSucceed().Lines[0];
            accepted.Add(new AcceptedMessage(id, _exchange, topic, body));
        }

        return accepted;
    }

    private static async Task<CommandResult> RunAsync(TempSpool spool, params string[] arguments) => (await new SpoolCommand(spool).RunAsync(arguments)).MustSucceed();

    private static Task AwaitCountAsync(TempSpool spool, long count, string state) =>
        Eventually.Gives($"{count} are {state}", count, Limit, () => spool.Value<long>("SELECT count(*) FROM delivery WHERE state = @state", new { state }));

    private static DateTimeOffset NextProbeAt(TempSpool spool) =>
        spool.Query<long>("SELECT next_probe_at FROM suspension") is [var at] ? DateTimeOffset.FromUnixTimeMilliseconds(at / 1000) : DateTimeOffset.MinValue;
}
