using Quickq.Testing;

namespace Quickq.Spool.Tests.Inspect;

public sealed class ReaderTests : IDisposable
{
    private readonly TempSpool _spool = new();

    [Fact]
    public void The_overview_counts_without_counting_rows()
    {
        Append("a", 5);
        _spool.Execute("INSERT INTO server (name, connection) VALUES ('mq1', 'connected')");
        Append("b", 2);

        SpoolOverview overview = Read(reader => reader.ReadOverview());

        Assert.Equal((7, 5), (overview.Messages, overview.Unassigned));
        ServerOverview server = Assert.Single(overview.Servers);
        Assert.Equal(("mq1", 2L), (server.Name, server.Pending));
        Assert.NotNull(server.OldestPendingAt);
    }

    [Fact]
    public void Without_an_agent_every_server_reads_disconnected_whatever_the_table_says()
    {
        Append("a", 1);
        _spool.Execute("INSERT INTO server (name, connection, endpoint) VALUES ('mq1', 'connected', '127.0.0.1:5672')");

        SpoolOverview overview = Read(reader => reader.ReadOverview());

        Assert.Null(overview.AgentPid);
        Assert.Equal(("disconnected", null), (overview.Servers[0].Connection, overview.Servers[0].Endpoint));
    }

    [Fact]
    public void A_prefix_means_an_id_only_when_no_other_begins_with_it()
    {
        Append("abc", 2);
        using (SpoolWriter writer = SpoolWriter.Open(_spool.Path))
        {
            writer.Append(new OutgoingMessage { Id = "abc" });
        }

        Assert.Equal(["abc"], Read(reader => reader.ResolveIds("abc")));
        Assert.Equal(["abc-1"], Read(reader => reader.ResolveIds("abc-1")));
        Assert.Equal(2, Read(reader => reader.ResolveIds("ab")).Count);
        Assert.Empty(Read(reader => reader.ResolveIds("x")));
    }

    [Fact]
    public void A_message_that_waits_for_a_suspended_exchange_is_listed_as_deferred_as_it_is_shown_and_as_pending_as_it_counts()
    {
        Append("sound", 3);
        _spool.Execute("INSERT INTO server (name, exchange) VALUES ('mq1', 'satellite'), ('mq2', 'satellite')");
        using (SpoolWriter writer = SpoolWriter.Open(_spool.Path))
        {
            writer.Append(new OutgoingMessage { Id = "waits", Exchange = "himawari" });
            writer.Append(new OutgoingMessage { Id = "refused" });
        }

        _spool.Execute("INSERT INTO suspension (server, exchange, reason, since, next_probe_at) VALUES (2, 'himawari', '404 NOT_FOUND', 1, 99); UPDATE delivery SET state = 'deferred' WHERE message = 5 AND server = 1");

        Assert.Equal(["refused", "waits"], Ids(new MessageFilter { State = "deferred" }));
        Assert.Equal(["waits"], Ids(new MessageFilter { State = "deferred", Server = "mq2" }));
        Assert.Equal(["refused", "waits"], Ids(new MessageFilter { State = "pending", Server = "mq2" }));
        using SpoolAdmin operate = SpoolAdmin.Open(_spool.Path);
        OperatorReport retry = operate.Apply(AdminOperation.Retry, new MessageFilter { State = "deferred", Limit = 10 }, dryRun: false);
        Assert.Equal((1, 1), (retry.Changed, retry.Probed));
    }

    [Fact]
    public void A_list_is_newest_first_and_obeys_each_filter()
    {
        Append("early", 3, "geo.a");
        _spool.Execute("INSERT INTO server (name) VALUES ('mq1'), ('mq2')");
        Append("late", 700, "geo.b");
        _spool.Execute("UPDATE delivery SET state = 'rejected' WHERE message = 100 AND server = 1; UPDATE delivery SET state = 'delivered' WHERE message = 101 AND server = 2");

        Assert.Equal(["late-700", "late-699"], Ids(new MessageFilter { Limit = 2 }));
        Assert.Equal(703, Ids(new MessageFilter { Limit = 5000 }).Count);
        Assert.Equal(["early-3", "early-2", "early-1"], Ids(new MessageFilter { TopicPattern = "*.a" }));
        Assert.Equal(["late-97"], Ids(new MessageFilter { State = "rejected" }));
        Assert.Empty(Ids(new MessageFilter { State = "rejected", Server = "mq2" }));
        Assert.Equal(["late-98"], Ids(new MessageFilter { State = "delivered" }));
        Assert.Equal(699, Ids(new MessageFilter { State = "pending", Server = "mq1", Limit = 5000 }).Count);
        Assert.Equal(700, Ids(new MessageFilter { State = "pending", Limit = 5000 }).Count);
        Assert.Equal(700, Ids(new MessageFilter { Server = "mq2", Limit = 5000 }).Count);
        Assert.Empty(Ids(new MessageFilter { Since = TimeProvider.System.GetUtcNow().AddHours(1) }));
        Assert.Equal(703, Ids(new MessageFilter { Until = TimeProvider.System.GetUtcNow().AddHours(1), Limit = 5000 }).Count);
    }

    /// <summary>Names each kind of row for which a list once ended early: many servers, and more that is too new than a page holds.</summary>
    [Fact]
    public void A_list_finds_what_is_behind_a_page_of_others_and_with_any_number_of_servers()
    {
        Append("first", 1);
        _spool.Execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO server (name) SELECT 'mq' || i FROM n");
        Append("old", 2);
        _spool.Execute("UPDATE message SET created_at = 1000000");
        _spool.Execute("UPDATE server SET active = 0 WHERE id > 2");
        Append("new", 1200);

        Assert.Equal(["old-2", "old-1"], Ids(new MessageFilter { State = "pending", Until = DateTimeOffset.UnixEpoch.AddDays(1) }));
        Assert.Equal(["old-2", "old-1"], Ids(new MessageFilter { State = "pending", Server = "mq300" }));
        Assert.Equal(1202, Ids(new MessageFilter { State = "pending", Limit = 5000 }).Count);
        using SpoolAdmin operate = SpoolAdmin.Open(_spool.Path);
        Assert.Equal(1202, operate.Apply(AdminOperation.Hold, new MessageFilter { Limit = 5000 }, dryRun: false).Messages);
    }

    /// <summary>"first" and "second" are configured servers, "gone" is none any more; "-": it has no row there.</summary>
    [Theory]
    [InlineData("-", "-", "pending", SettlementProgress.Pending)]
    [InlineData("-", "-", "cancelled", SettlementProgress.Pending)]
    [InlineData("-", "-", "delivered", SettlementProgress.Delivered)]
    [InlineData("delivered", "-", "pending", SettlementProgress.Pending)]
    [InlineData("delivered", "-", "held", SettlementProgress.Pending)]
    [InlineData("delivered", "-", "delivered", SettlementProgress.Delivered)]
    [InlineData("delivered", "delivered", "pending", SettlementProgress.Delivered)]
    [InlineData("rejected", "-", "pending", SettlementProgress.Rejected)]
    public void A_wait_is_over_only_when_every_server_has_it_that_it_is_for(string first, string second, string gone, SettlementProgress expected)
    {
        Append("unassigned", 1);
        _spool.Execute("INSERT INTO server (name) VALUES ('mq1'), ('mq2'), ('mq3')");
        Append("m", 1);
        _spool.Execute("UPDATE server SET active = 0 WHERE name = 'mq3'");
        foreach ((int server, string state) in new[] { (1, first), (2, second), (3, gone) })
        {
            _spool.Execute(state is "-" ? $"DELETE FROM delivery WHERE server = {server}" : $"UPDATE delivery SET state = '{state}' WHERE server = {server}");
        }

        Assert.Equal(expected, Read(reader => reader.ReadProgress(["m-1"])));
    }

    [Theory]
    [InlineData("a.b.c", "a.b.c", true)]
    [InlineData("a.b.c", "a.b", false)]
    [InlineData("a.*.c", "a.b.c", true)]
    [InlineData("a.*", "a.b.c", false)]
    [InlineData("#", "", true)]
    [InlineData("#", "a.b.c", true)]
    [InlineData("a.#", "a", true)]
    [InlineData("a.#.c", "a.c", true)]
    [InlineData("a.#.c", "a.b.b.c", true)]
    [InlineData("#.b.#", "a.c", false)]
    [InlineData("*", "", false)]
    public void A_topic_pattern_matches_as_a_topic_exchange_does(string pattern, string routingKey, bool matches)
    {
        Assert.Equal(matches, new TopicPattern(pattern).Matches(routingKey));
    }

    [Theory]
    [InlineData("delivered", "delivered", SettlementProgress.Delivered)]
    [InlineData("delivered", "pending", SettlementProgress.Pending)]
    [InlineData("delivered", "held", SettlementProgress.Pending)]
    [InlineData("pending", "rejected", SettlementProgress.Rejected)]
    [InlineData("delivered", "expired", SettlementProgress.Rejected)]
    public void Progress_tells_the_worst_of_the_active_servers(string first, string second, SettlementProgress expected)
    {
        Append("x", 1);
        _spool.Execute("INSERT INTO server (name) VALUES ('mq1'), ('mq2')");
        Append("y", 1);
        _spool.Execute($"UPDATE delivery SET state = '{first}' WHERE server = 1; UPDATE delivery SET state = '{second}' WHERE server = 2");

        Assert.Equal(expected, Read(reader => reader.ReadProgress(["y-1"])));
        Assert.Equal(SettlementProgress.Pending, Read(reader => reader.ReadProgress(["x-1"])));
    }

    public void Dispose() => _spool.Dispose();

    private T Read<T>(Func<SpoolReader, T> read)
    {
        using SpoolReader reader = SpoolReader.Open(_spool.Path);
        return read(reader);
    }

    private List<string> Ids(MessageFilter filter) => Read(reader => reader.List(filter).Select(message => message.Id).ToList());

    private void Append(string name, int count, string key = "k")
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        writer.AppendMany([.. Enumerable.Range(1, count).Select(i => new OutgoingMessage { Id = $"{name}-{i}", RoutingKey = key })]);
    }
}
