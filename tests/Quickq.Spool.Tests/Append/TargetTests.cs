using Quickq.Testing;

namespace Quickq.Spool.Tests.Append;

/// <summary>A message that names its servers goes to those, whatever they take; any other to the active servers that take its exchange.</summary>
public sealed class TargetTests : IDisposable
{
    private readonly TempSpool _spool = new();
    private readonly SpoolWriter _writer;

    public TargetTests() => _writer = SpoolWriter.Open(_spool.Path);

    public static TheoryData<string?, string?, string> Messages => new()
    {
        { null, null, "any both" },
        { "satellite", null, "any both" },
        { "himawari", null, "any" },
        { "", null, "any" },
        { "himawari", "both", "both" },
        { null, "gone both both", "both gone" },
        { null, "gone", "gone" },
    };

    [Theory]
    [MemberData(nameof(Messages))]
    public void The_rows_and_the_counters_are_those_of_its_servers(string? exchange, string? servers, string expected)
    {
        _spool.Execute(
            """
            INSERT INTO server (id, name, active) VALUES (1, 'any', 1), (2, 'both', 1), (3, 'gone', 0);
            INSERT INTO server_exchange VALUES (2, 'satellite'), (2, 'other'), (3, 'satellite');
            """);

        _writer.Append(new OutgoingMessage { Id = "m", Exchange = exchange, Servers = servers?.Split(' ') });

        Assert.Equal(expected, string.Join(' ', _spool.Query<string>("SELECT name FROM delivery JOIN server ON id = server ORDER BY name")));
        Assert.Equal(expected, string.Join(' ', _spool.Query<string>("SELECT name FROM server WHERE pending = 1 ORDER BY name")));
        Assert.Equal(0, _spool.Value<int>("SELECT count(*) FROM unassigned"));
    }

    [Fact]
    public void What_no_server_takes_is_unassigned()
    {
        _spool.Execute("INSERT INTO server (id, name) VALUES (1, 'mq1'); INSERT INTO server_exchange VALUES (1, 'satellite')");

        _writer.Append(new OutgoingMessage { Exchange = "himawari" });

        Assert.Equal((1, 1, 0), (_spool.Value<int>("SELECT count(*) FROM unassigned"), _spool.Value<int>("SELECT value FROM tally WHERE name = 'unassigned'"), _spool.Value<int>("SELECT pending FROM server")));
    }

    [Fact]
    public void A_name_that_no_server_ever_had_is_refused_alone()
    {
        _spool.Execute("INSERT INTO server (name, active) VALUES ('mq1', 1), ('mq2', 0)");

        SpoolException refused = Assert.Throws<SpoolException>(() => _writer.Append(new OutgoingMessage { Servers = ["mq2", "MQ1"] }));

        Assert.Equal((SpoolFault.UnknownServer, "the servers are mq1, mq2"), (refused.Fault, refused.Hint));
        Assert.Equal(0, _spool.Value<int>("SELECT count(*) FROM message"));
        _writer.Append(new OutgoingMessage { Servers = ["mq2"] });
    }

    [Fact]
    public void A_spool_that_never_knew_a_server_keeps_it_for_the_names()
    {
        _writer.Append(new OutgoingMessage { Id = "m", Servers = ["mq2", "mq1"] });

        using SpoolReader reader = SpoolReader.Open(_spool.Path);
        Assert.Equal(["mq1", "mq2"], reader.ReadStatus("m")!.Servers);
        Assert.Equal(SettlementProgress.Pending, reader.ReadProgress(["m"]));
        Assert.Equal(1, reader.ReadOverview().Unassigned);
    }

    [Theory]
    [InlineData("mq1")]
    [InlineData(" mq1")]
    [InlineData(" mq1  mq2 ")]
    [InlineData("  ")]
    [InlineData("")]
    public void Another_form_of_the_names_is_stored_by_nobody(string servers)
    {
        Assert.ThrowsAny<Exception>(() => _spool.Execute($"INSERT INTO message (body, servers) VALUES (x'', '{servers}')"));
        _spool.Execute("INSERT INTO message (body, servers) VALUES (x'', ' mq1 ')");
        _spool.Execute("INSERT INTO message (body, servers) VALUES (x'', ' mq1 mq2 ')");
    }

    [Fact]
    public void Whom_it_is_for_counts_as_content_but_not_in_which_order()
    {
        _writer.Append(new OutgoingMessage { Id = "m", Servers = ["a", "b"] });
        _writer.Append(new OutgoingMessage { Id = "m", Servers = ["b", "a", "b"] });

        Assert.Equal(SpoolFault.IdConflict, Assert.Throws<SpoolException>(() => _writer.Append(new OutgoingMessage { Id = "m", Servers = ["a"] })).Fault);
        Assert.Equal(SpoolFault.IdConflict, Assert.Throws<SpoolException>(() => _writer.Append(new OutgoingMessage { Id = "m" })).Fault);
    }

    [Fact]
    public void A_wait_for_a_message_that_names_a_server_which_is_gone_ends_only_when_that_has_it()
    {
        _spool.Execute("INSERT INTO server (name, active) VALUES ('mq1', 1), ('mq2', 0)");
        _writer.Append(new OutgoingMessage { Id = "m", Servers = ["mq1", "mq2"] });
        _spool.Execute("UPDATE delivery SET state = 'delivered' WHERE server = 1; UPDATE server SET pending = 0, delivered = 1 WHERE id = 1");
        using SpoolReader reader = SpoolReader.Open(_spool.Path);

        Assert.Equal(SettlementProgress.Pending, reader.ReadProgress(["m"]));
        _spool.Execute("UPDATE delivery SET state = 'delivered' WHERE server = 2; UPDATE server SET pending = 0, delivered = 1 WHERE id = 2");
        Assert.Equal(SettlementProgress.Delivered, reader.ReadProgress(["m"]));
    }

    [Fact]
    public void A_replay_gives_a_server_only_what_is_for_it_and_forgets_nothing()
    {
        _spool.Execute("INSERT INTO server (name) VALUES ('mq1')");
        _writer.AppendMany([new OutgoingMessage { Exchange = "himawari" }, new OutgoingMessage { Exchange = "satellite" }, new OutgoingMessage { Servers = ["mq1"] }]);
        _spool.Execute("INSERT INTO server (name) VALUES ('mq2'); INSERT INTO server_exchange VALUES (2, 'satellite')");
        _spool.Execute("UPDATE delivery SET state = 'delivered', settled_at = 70 WHERE message = 2; UPDATE server SET pending = 2, delivered = 1 WHERE id = 1");
        using SpoolAdmin spool = SpoolAdmin.Open(_spool.Path);

        Assert.Equal((0, 1), Counts(spool.Replay("mq2", since: null, until: null, dryRun: false)));
        Assert.Equal([2], _spool.Query<int>("SELECT message FROM delivery WHERE server = 2"));
        Assert.Equal((1, 0), Counts(spool.Replay("mq1", since: null, until: null, dryRun: false)));
        _spool.Execute("UPDATE delivery SET state = 'delivered', settled_at = 80 WHERE message = 2 AND server = 1; UPDATE server SET pending = pending - 1, delivered = 1 WHERE id = 1");
        spool.Replay("mq1", since: null, until: null, dryRun: false);

        Assert.Equal(["2 1 70 2"], _spool.Query<string>("SELECT message || ' ' || server || ' ' || first_settled_at || ' ' || count FROM replayed"));

        static (int, int) Counts(ReplayReport report) => (report.Again, report.Created);
    }

    public void Dispose()
    {
        _writer.Dispose();
        _spool.Dispose();
    }
}
