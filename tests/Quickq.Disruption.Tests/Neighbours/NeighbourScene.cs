using System.Globalization;
using System.Text.Json.Nodes;
using Quickq.Testing;
using Quickq.Testing.Auditing;

namespace Quickq.Disruption.Tests.Neighbours;

/// <summary>A spool, an agent and one server where a message or a topic is in trouble: its neighbours are to be delivered all the same.</summary>
internal sealed class NeighbourScene : IDisposable
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);
    private readonly VirtualHostPair _hosts;

    public NeighbourScene(VirtualHostPair hosts)
    {
        (_hosts, Cli) = (hosts, new SpoolCommand(Spool));
    }

    public TempSpool Spool { get; } = new();

    public SpoolCommand Cli { get; }

    public string Exchange { get; } = $"n-{Some.Word()}";

    public AgentProcess? Agent { get; private set; }

    public string Log => Agent!.Stderr;

    public RabbitNode Node => _hosts.First;

    public Task<BrokerQueue> DeclareAsync(string name, string pattern, IDictionary<string, object?>? arguments = null, string? exchange = null) =>
        BrokerQueue.DeclareAsync(Node, _hosts.Name, exchange ?? Exchange, $"{Exchange}-{name}", pattern, arguments);

    /// <summary>Starts the agent and waits until it is connected.</summary>
    public async Task StartAsync(Action<JsonObject>? adjust = null)
    {
        Agent = AgentProcess.Start(new AgentConfiguration(Spool.Path).WithServer("mq1", Node, _hosts.Name, Exchange, adjust));
        await Agent.AwaitLogAsync("mq1: connected", Limit);
    }

    /// <summary>Makes the spool and lets it know the server, without delivering anything.</summary>
    public async Task RegisterAsync()
    {
        using (AgentProcess.Start(new AgentConfiguration(Spool.Path).WithServer("mq1", "127.0.0.1", FreePort.Next(), "/", Exchange)))
        {
            await Spool.AwaitServersAsync(Limit);
        }
    }

    /// <summary>Adds messages with this routing key, as fast as SQLite takes them.</summary>
    public void Add(string key, int count, string? exchange = null) => Spool.Execute(string.Create(
        CultureInfo.InvariantCulture,
        $"""
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
        INSERT INTO message (exchange, routing_key, body) SELECT '{exchange ?? Exchange}', '{key.Replace("'", "''", StringComparison.Ordinal)}', CAST('message ' || i AS BLOB) FROM n
        """));

    public Task AwaitDeliveredAsync(int count, TimeSpan? limit = null) => Spool.AwaitDeliveredAsync(count, limit ?? Limit, "mq1");

    public long CountDelivered(string key) => Spool.Value<long>(
        "SELECT count(*) FROM delivery AS d JOIN message AS m ON m.seq = d.message WHERE d.state = 'delivered' AND m.routing_key LIKE @key", new { key });

    /// <summary>State, attempts and reason of the messages with this key.</summary>
    public IReadOnlyList<DeliveryRow> Rows(string key) => Spool.Query<DeliveryRow>(
        """
        SELECT m.id AS Id, d.state AS State, d.attempts AS Attempts, coalesce(d.reason, '') AS Reason
        FROM delivery AS d JOIN message AS m ON m.seq = d.message WHERE m.routing_key = @key ORDER BY m.seq
        """,
        new { key });

    public int CountLogged(string words) => Log.Split('\n').Count(line => line.Contains(words, StringComparison.Ordinal));

    public void Dispose()
    {
        Agent?.Dispose();
        Spool.Dispose();
    }
}
