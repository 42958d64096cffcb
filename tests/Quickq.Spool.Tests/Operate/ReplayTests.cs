using Quickq.Testing;

namespace Quickq.Spool.Tests.Operate;

/// <summary>600 messages at mq1, accepted and delivered one a second from the epoch on; mq2 came later and has none of them.</summary>
public sealed class ReplayTests : IDisposable
{
    private readonly TempSpool _spool = new();

    public ReplayTests()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        _spool.Execute("INSERT INTO server (name) VALUES ('mq1')");
        writer.AppendMany([.. Enumerable.Range(1, 600).Select(i => new OutgoingMessage { Id = $"m{i}" })]);
        _spool.Execute(
            """
            UPDATE delivery SET state = 'delivered', attempts = 2, endpoint = 'e', settled_at = message * 1000000 + 500000;
            UPDATE message SET created_at = seq * 1000000;
            UPDATE server SET pending = 0, delivered = 600, rewind = NULL;
            INSERT INTO server (name) VALUES ('mq2');
            """);
    }

    [Fact]
    public void What_a_server_was_sent_is_due_again_as_if_never_tried_and_the_feed_looks_back()
    {
        Assert.Equal(new ReplayReport(600, 0, 0), Replay("mq1"));

        Assert.Equal(600, _spool.Value<int>("SELECT count(*) FROM delivery WHERE server = 1 AND state = 'pending' AND attempts = 0 AND settled_at IS NULL AND endpoint IS NULL"));
        Assert.Equal((600, 0, 1), _spool.Value<(int, int, int)>("SELECT pending, delivered, rewind FROM server WHERE name = 'mq1'"));
        Assert.Equal(new ReplayReport(0, 0, 0), Replay("mq1"));
    }

    [Fact]
    public void The_time_is_that_of_settlement_with_the_first_moment_in_and_the_last_out()
    {
        Assert.Equal(new ReplayReport(10, 0, 0), Replay("mq1", since: 100.5, until: 110.5));
        Assert.Equal((100, 109), _spool.Value<(int, int)>("SELECT min(message), max(message) FROM delivery WHERE state = 'pending'"));
        Assert.Equal(100, _spool.Value<int>("SELECT rewind FROM server WHERE name = 'mq1'"));
    }

    [Fact]
    public void A_new_server_gets_what_was_accepted_in_the_time_and_its_feed_looks_back()
    {
        _spool.Execute("UPDATE server SET rewind = 300");

        Assert.Equal(new ReplayReport(0, 401, 0), Replay("mq2", since: 200));

        Assert.Equal((200, 600), _spool.Value<(int, int)>("SELECT min(message), max(message) FROM delivery WHERE server = 2 AND state = 'pending'"));
        Assert.Equal((401, 200), _spool.Value<(int, int)>("SELECT pending, rewind FROM server WHERE name = 'mq2'"));
        Assert.Equal((0, 300), _spool.Value<(int, int)>("SELECT pending, rewind FROM server WHERE name = 'mq1'"));
        Assert.Equal(new ReplayReport(0, 199, 0), Replay("mq2"));
        Assert.Equal(1, _spool.Value<int>("SELECT rewind FROM server WHERE name = 'mq2'"));
    }

    [Fact]
    public void A_rewind_mark_is_never_raised()
    {
        _spool.Execute("UPDATE server SET rewind = 5");
        Replay("mq2", since: 200);
        Assert.Equal(5, _spool.Value<int>("SELECT rewind FROM server WHERE name = 'mq2'"));
    }

    [Fact]
    public void Undelivered_cancelled_and_expired_messages_are_left_as_they_are()
    {
        _spool.Execute(
            """
            DELETE FROM delivery WHERE message > 8;
            UPDATE delivery SET state = 'pending' WHERE message = 1;
            UPDATE delivery SET state = 'held' WHERE message = 2;
            UPDATE delivery SET state = 'cancelled' WHERE message = 3;
            UPDATE delivery SET state = 'expired' WHERE message = 4;
            UPDATE message SET expires_at = 1 WHERE seq IN (5, 6);
            UPDATE server SET pending = 1, held = 1, cancelled = 1, expired = 1, delivered = 4 WHERE id = 1;
            """);

        Assert.Equal(new ReplayReport(2, 0, 2), Replay("mq1"));
        Assert.Equal(new ReplayReport(0, 4, 2), Replay("mq2"));

        Assert.Equal(["pending", "held", "cancelled", "expired", "delivered", "delivered", "pending", "pending"], _spool.Query<string>("SELECT state FROM delivery WHERE server = 1 ORDER BY message"));
        Assert.Equal([1, 2, 7, 8], _spool.Query<int>("SELECT message FROM delivery WHERE server = 2 ORDER BY message"));
    }

    [Fact]
    public void A_message_that_no_server_was_given_yet_is_left_to_the_agent()
    {
        _spool.Execute("UPDATE server SET active = 0");
        using (SpoolWriter writer = SpoolWriter.Open(_spool.Path))
        {
            writer.Append(new OutgoingMessage { Id = "unassigned" });
        }

        Assert.Equal(new ReplayReport(0, 600, 0), Replay("mq2"));
        Assert.Equal(1, _spool.Value<int>("SELECT count(*) FROM unassigned"));
    }

    [Fact]
    public void A_dry_run_counts_the_same_and_changes_nothing()
    {
        Assert.Equal(new ReplayReport(9, 0, 0), Replay("mq1", since: 551.5, until: 560.5, dryRun: true));
        Assert.Equal(new ReplayReport(0, 600, 0), Replay("mq2", dryRun: true));
        Assert.Equal(600, _spool.Value<int>("SELECT count(*) FROM delivery WHERE state = 'delivered'"));
        Assert.Equal([0, 0], _spool.Query<int>("SELECT pending FROM server"));
    }

    [Fact]
    public void A_server_that_is_not_known_is_refused()
    {
        Assert.Equal(SpoolFault.NotFound, Assert.Throws<SpoolException>(() => Replay("mq3")).Fault);
    }

    public void Dispose() => _spool.Dispose();

    private ReplayReport Replay(string server, double? since = null, double? until = null, bool dryRun = false)
    {
        using SpoolAdmin spool = SpoolAdmin.Open(_spool.Path);
        return spool.Replay(server, At(since), At(until), dryRun);
    }

    private static DateTimeOffset? At(double? seconds) => seconds is { } value ? DateTimeOffset.UnixEpoch.AddSeconds(value) : null;
}
