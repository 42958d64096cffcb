using System.Globalization;
using System.Text;
using Quickq.Spool;
using Quickq.Testing;
using Quickq.Testing.Auditing;

namespace Quickq.Disruption.Tests;

/// <summary>One message among 10,000 that the server does not take: the others arrive uncharged, it waits or is parked with the broker's own words.</summary>
[Collection<TwoNodesCollection>]
public sealed class PoisonTests(VirtualHostPair hosts, ITestOutputHelper output) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private const int Longest = 300_000;
    private const int Messages = 10_000;
    private const int Window = 1_000;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);
    private readonly string _exchange = $"poison-{Some.Word()}";

    public async ValueTask InitializeAsync() => await hosts.First.EnsureServingAsync();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact(Timeout = Longest)]
    public async Task A_message_larger_than_the_broker_allows_is_rejected()
    {
        await hosts.First.CtlAsync("eval", "application:set_env(rabbit, max_message_size, 2048).");
        try
        {
            await SurvivesAsync(new() { RoutingKey = "good.poison", Body = Some.Bytes(3000) }, "rejected", attempts: 1, "406 PRECONDITION_FAILED - message size 3000 is larger than configured max size 2048");
        }
        finally
        {
            await hosts.First.CtlAsync("eval", "application:set_env(rabbit, max_message_size, 134217728).");
        }
    }

    [Fact(Timeout = Longest)]
    public async Task A_message_that_the_broker_finds_invalid_without_naming_it_is_found_and_rejected() =>
        await SurvivesAsync(Invalid, "rejected", attempts: 1, "406 PRECONDITION_FAILED - invalid message");

    [Fact(Timeout = Longest)]
    public async Task A_message_with_a_forbidden_routing_key_waits()
    {
        var user = $"u{Some.Word()}";
        await hosts.First.CtlAsync("add_user", user, "secret");
        await hosts.First.CtlAsync("set_permissions", "--vhost", hosts.Name, user, ".*", ".*", ".*");
        await hosts.First.CtlAsync("set_topic_permissions", "--vhost", hosts.Name, user, _exchange, "^good.*", ".*");

        await SurvivesAsync(new() { RoutingKey = "bad.poison", Body = Some.Bytes(10) }, "deferred", attempts: 2, "403 ACCESS_REFUSED - access to topic 'bad.poison'", user: user);
    }

    [Fact(Timeout = Longest)]
    public async Task A_message_for_a_full_queue_waits()
    {
        var full = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, _exchange, $"full-{_exchange}", "bad.#",
            new Dictionary<string, object?>(StringComparer.Ordinal) { ["x-max-length"] = 0, ["x-overflow"] = "reject-publish" });

        await SurvivesAsync(new() { RoutingKey = "bad.poison", Body = Some.Bytes(10) }, "deferred", attempts: 2, "nack");

        Assert.Empty(await full.DrainAsync());
    }

    [Fact(Timeout = Longest)]
    public async Task A_message_that_no_queue_receives_is_parked_where_that_is_wanted() =>
        await SurvivesAsync(new() { RoutingKey = "bad.poison", Body = Some.Bytes(10) }, "rejected", attempts: 1, "no queue is bound");

    [Fact(Timeout = Longest)]
    public async Task A_message_for_an_exchange_that_is_not_there_waits_uncharged() =>
        await SurvivesAsync(new() { Exchange = "nowhere", RoutingKey = "good.poison", Body = Some.Bytes(10) }, "pending", attempts: 0, "404 NOT_FOUND - no exchange 'nowhere'");

    [Fact(Timeout = Longest)]
    public async Task A_suspect_that_was_cancelled_and_purged_amid_the_search_is_not_sent_again()
    {
        const int suspects = 40, cancelled = 30;
        using var spool = new TempSpool();
        var queue = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, _exchange, _exchange);
        using var agent = AgentProcess.Start(new AgentConfiguration(spool.Path).WithServer("mq1", hosts.First, hosts.Name, _exchange, server => server["window"] = Window));
        using var writer = SpoolWriter.Open(spool.Path);
        await spool.AwaitServersAsync(Limit);
        writer.Append(new OutgoingMessage { Id = "before", Body = Some.Bytes(10) });
        await spool.AwaitDeliveredAsync(1, Limit, "mq1");

        // All of them are on their way to a broker that does not read; the one that makes it close the channel stands before the cancelled one.
        await hosts.First.PauseAsync();
        OutgoingMessage[] sent = [.. Enumerable.Range(0, suspects).Select(number => number == suspects / 2 ? Invalid with { Id = "the-poison" } : new() { Id = $"suspect-{number}", Body = Some.Bytes(1000) })];
        writer.AppendMany(sent);
        await Eventually.Is("the broker was sent all of them", Limit, () => BytesWaitingFor(hosts.First.Port) > sent.Sum(message => message.Body.Length));
        var cli = new SpoolCommand(spool);
        (await cli.RunAsync("cancel", $"suspect-{cancelled}")).MustSucceed();
        (await cli.RunAsync("purge", "--older-than", "0s", "--yes")).MustSucceed();
        hosts.First.Resume();

        await Eventually.Is("the poison is rejected", Limit, () => Poison(spool) is { State: "rejected" });
        writer.Append(new OutgoingMessage { Id = "after", Body = Some.Bytes(10) });
        await spool.AwaitDeliveredAsync(suspects, Limit, "mq1");
        Assert.Equal(0, await agent.StopAsync());
        string[] wanted = ["before", .. sent.Select(message => message.Id!).Where(id => id is not "the-poison" && !id.EndsWith($"-{cancelled}", StringComparison.Ordinal)), "after"];
        Assert.Equal(wanted, (await queue.DrainAsync()).Select(message => message.MessageId).Distinct(StringComparer.Ordinal));
    }

    private static OutgoingMessage Invalid => new()
    {
        RoutingKey = "good.poison",
        Body = Some.Bytes(10),
        Properties = new MessageProperties { Headers = new Dictionary<string, object?>(StringComparer.Ordinal) { ["CC"] = "not a list" } },
    };

    private async Task SurvivesAsync(OutgoingMessage poison, string state, int attempts, string reasonWith, string user = "guest")
    {
        using var spool = new TempSpool();
        var queue = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, _exchange, _exchange, "good.#");
        using var agent = AgentProcess.Start(new AgentConfiguration(spool.Path).WithServer("mq1", hosts.First, hosts.Name, _exchange, server =>
        {
            (server["window"], server["unroutable"], server["user"]) = (Window, "park", user);
            server["password"] = user is "guest" ? "guest" : "secret";
        }));
        await agent.AwaitLogAsync("mq1: connected", Limit);

        var accepted = Append(spool, poison with { Id = "the-poison" });
        await spool.AwaitDeliveredAsync(Messages - 1, Limit, "mq1");
        await Eventually.Is($"the poison is {state}", Limit, () => Poison(spool) is var row && string.Equals(row.State, state, StringComparison.Ordinal) && row.Attempts >= attempts);
        var found = Poison(spool);
        Assert.Equal(0, await agent.StopAsync());
        var received = await queue.DrainAsync();

        Assert.Contains(reasonWith, found.Reason, StringComparison.Ordinal);
        Assert.Equal(0L, spool.Value<long>("SELECT count(*) FROM delivery AS d JOIN message AS m ON m.seq = d.message WHERE m.id <> 'the-poison' AND (d.state <> 'delivered' OR d.attempts <> 1)"));
        var lost = agent.Stderr.Split("were in flight and are sent again").Length - 1;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{QueueAudit.CountRepeats(received)} repeats, connection lost {lost} times"));

        // A channel closed with a window of messages out; where the broker names nobody, their halves once more.
        Audit.Of(spool, accepted).Server("mq1", received, 2 + lost, Window).MustBeClean();
    }

    private IReadOnlyList<AcceptedMessage> Append(TempSpool spool, OutgoingMessage poison)
    {
        using var writer = SpoolWriter.Open(spool.Path);
        var json = new MessageProperties { ContentType = "application/json" };
        var accepted = new List<AcceptedMessage>();
        foreach (var numbers in Enumerable.Range(0, Messages).Chunk(500))
        {
            OutgoingMessage[] batch = [.. numbers.Select(number => number == Messages / 2
                ? poison
                : new OutgoingMessage { RoutingKey = $"good.{number}", Properties = json, Body = Encoding.UTF8.GetBytes($$"""{"number":{{number}},"text":"{{new string('x', 200)}}"}""") })];
            accepted.AddRange(writer.AppendMany(batch).Zip(batch, (id, message) => new AcceptedMessage(id, message.Exchange ?? _exchange, message.RoutingKey, message.Body.ToArray())));
        }

        return accepted;
    }

    /// <summary>What the kernel keeps for the sockets of this port until their process reads it (/proc/net/tcp, proc(5)).</summary>
    private static long BytesWaitingFor(int port) => File.ReadLines("/proc/net/tcp").Skip(1)
        .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        .Where(columns => columns[1].EndsWith($":{port:X4}", StringComparison.Ordinal))
        .Sum(columns => long.Parse(columns[4].Split(':')[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture));

    private static DeliveryRow Poison(TempSpool spool) => spool.Value<DeliveryRow>(
        """
        SELECT m.id AS Id, d.state AS State, d.attempts AS Attempts, coalesce(d.reason, x.reason, '') AS Reason
        FROM delivery AS d JOIN message AS m ON m.seq = d.message LEFT JOIN suspension AS x ON x.exchange = m.exchange WHERE m.id = 'the-poison'
        """);
}
