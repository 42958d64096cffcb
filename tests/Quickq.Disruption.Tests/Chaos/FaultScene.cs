using System.Text.Json.Nodes;
using Quickq.Testing;
using Quickq.Testing.Auditing;
using Quickq.Testing.Network;

namespace Quickq.Disruption.Tests;

/// <summary>
/// A producer streams to an agent with two servers, mq1 and mq2; a test does something to mq2, lets it end, and has everything audited:
/// every id that the producer was given must be on both servers, in order, and nothing else.
/// </summary>
internal sealed class FaultScene : IAsyncDisposable
{
    public const int Window = 60;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(40);
    private readonly List<IReadOnlyList<AcceptedMessage>> _accepted = [];
    private readonly TimeSpan _longestPause;
    private SteadyProducer? _producer;

    private FaultScene(TempSpool spool, BrokerQueue sound, BrokerQueue faulty, RestartedAgent agent, TimeSpan longestPause)
    {
        _longestPause = longestPause;
        (Spool, Sound, Faulty, Agent) = (spool, sound, faulty, agent);
        Produce();
    }

    public TempSpool Spool { get; }

    /// <summary>What mq1 receives.</summary>
    public BrokerQueue Sound { get; }

    /// <summary>What mq2 receives.</summary>
    public BrokerQueue Faulty { get; }

    public RestartedAgent Agent { get; }

    public string Exchange => Faulty.Exchange;

    /// <summary>Starts agent and producer and waits until mq2 receives.</summary>
    /// <param name="hosts">The nodes; the second is mq2.</param>
    /// <param name="adjust">Changes the settings of mq2.</param>
    /// <param name="virtualHost">That of mq2, if not the common one.</param>
    public static Task<FaultScene> OpenAsync(VirtualHostPair hosts, Action<JsonObject>? adjust = null, string? virtualHost = null) =>
        OpenAsync((hosts.First, hosts.Name), (hosts.Second, virtualHost ?? hosts.Name), adjust);

    /// <summary>The same with nodes and virtual hosts of a test's own, and an agent in a network of its own.</summary>
    public static async Task<FaultScene> OpenAsync(
        (RabbitNode Node, string VirtualHost) first, (RabbitNode Node, string VirtualHost) second, Action<JsonObject>? adjust = null, NetworkNamespace? inside = null,
        string? exchange = null, bool awaitFlow = true, TimeSpan? longestPause = null, Action<AgentConfiguration>? others = null)
    {
        exchange ??= $"faults-{Some.Word()}";
        var spool = new TempSpool();
        var sound = await BrokerQueue.DeclareAsync(first.Node, first.VirtualHost, exchange, exchange);
        var faulty = await BrokerQueue.DeclareAsync(second.Node, second.VirtualHost, exchange, exchange);
        var configuration = new AgentConfiguration(spool.Path)
            .WithServer("mq1", first.Node, first.VirtualHost, exchange, server => server["window"] = Window)
            .WithServer("mq2", second.Node, second.VirtualHost, exchange, server =>
            {
                server["window"] = Window;
                adjust?.Invoke(server);
            });
        others?.Invoke(configuration);
        var agent = new RestartedAgent(configuration, inside);
        var scene = new FaultScene(spool, sound, faulty, agent, longestPause ?? LongestPause);
        await spool.AwaitServersAsync(Limit);
        if (awaitFlow)
        {
            await scene.AwaitFlowAsync();
        }

        return scene;
    }

    /// <summary>Waits until mq2 has received some more.</summary>
    public async Task AwaitFlowAsync(int more = 100)
    {
        var enough = Spool.CountDelivered("mq2") + more;
        await Eventually.Is($"mq2 has {enough} messages", Limit, () => Spool.CountDelivered("mq2") >= enough);
    }

    /// <summary>Waits until the producer is so many messages ahead of mq2: beyond its window, and long before a busy machine's mq2 is given up.</summary>
    public Task AwaitBacklogAsync(int messages = 2 * Window) =>
        Eventually.Is($"{messages} messages wait for mq2", Limit, () => Spool.Value<long>("SELECT pending FROM server WHERE name = 'mq2'") >= messages);

    /// <summary>Waits until the state of mq2's connection is this; gives what <c>status --json</c> says of mq2.</summary>
    public async Task<string?> AwaitConnectionAsync(string state, string? errorWith = null)
    {
        await Eventually.Is($"mq2 is {state}{(errorWith is null ? "" : $", because of '{errorWith}'")}", Limit, () =>
        {
            var (connection, error) = Spool.Value<(string, string?)>("SELECT connection, last_error FROM server WHERE name = 'mq2'");
            return string.Equals(connection, state, StringComparison.Ordinal) && (errorWith is null || error?.Contains(errorWith, StringComparison.Ordinal) is true);
        });
        return (await Spool.StatusOfAsync("mq2")).GetProperty("lastError").GetString();
    }

    /// <summary>Waits until the exchange is suspended at mq2 for this reason.</summary>
    public Task AwaitSuspendedAsync(string reasonWith) => Eventually.Is($"the exchange is suspended at mq2: {reasonWith}", Limit, () =>
        Spool.Query<string>("SELECT reason FROM suspension WHERE exchange = @Exchange", new { Exchange }).Any(reason => reason.Contains(reasonWith, StringComparison.Ordinal)));

    /// <summary>Waits until mq2 has everything, and audits both servers.</summary>
    /// <param name="faults">How often mq2 lost its connection or channel, beside what the agent's log and its kills tell.</param>
    /// <param name="earlier">What was drained from mq2 before.</param>
    public async Task MustEndCleanAsync(int faults = 0, IReadOnlyList<QueuedMessage>? earlier = null)
    {
        await QuietAsync();
        Assert.Equal(0, await Agent.StopAsync());
        Audit.Of(Spool, [.. _accepted])
            .Server("mq1", await Sound.DrainAsync(), CountFaults("mq1"), Window, HadKeyInTrouble("mq1"))
            .Server("mq2", [.. earlier ?? [], .. await Faulty.DrainAsync()], faults + CountFaults("mq2"), Window, HadKeyInTrouble("mq2"))
            .MustBeClean();
        Assert.Equal(0L, Spool.Value<long>("SELECT count(*) FROM suspension WHERE server IN (SELECT id FROM server WHERE name IN ('mq1', 'mq2'))"));
    }

    /// <summary>Where a queue took longer than two seconds, on a machine that is busy with more than this test, its routing keys may pass each other.</summary>
    private bool HadKeyInTrouble(string server) => Agent.Log.Contains($"{server}: routing key '", StringComparison.Ordinal);

    /// <summary>Starts a producer: after <see cref="QuietAsync"/> another one.</summary>
    public void Produce() => _producer = SteadyProducer.Start(Spool, Exchange, _longestPause);

    /// <summary>Ends the producer and waits until both servers have all that was given.</summary>
    public async Task QuietAsync()
    {
        if (_producer is not null)
        {
            _accepted.Add(await _producer.FinishAsync());
            _producer.Dispose();
            _producer = null;
        }

        await Spool.AwaitDeliveredAsync(_accepted.Sum(messages => messages.Count), Limit, "mq1", "mq2");
    }

    /// <summary>How many lines of the agent's log hold all of these words.</summary>
    public int CountLogged(params string[] words) =>
        Agent.Log.Split('\n').Count(line => words.All(word => line.Contains(word, StringComparison.Ordinal)));

    public ValueTask DisposeAsync()
    {
        _producer?.Dispose();
        Agent.Dispose();
        Spool.Dispose();
        return ValueTask.CompletedTask;
    }

    private int CountFaults(string server) =>
        Agent.Kills + CountLogged($"{server}: ", "were in flight and are sent again") + CountLogged($"{server}: exchange", "is suspended");
}
