using Quickq.Testing;

namespace Quickq.Spool.Tests.Operate;

public sealed class SpoolAdminTests : IDisposable
{
    private readonly TempSpool _spool = new();

    public SpoolAdminTests()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        _spool.Execute("INSERT INTO server (name, exchange) VALUES ('mq1', 'satellite'), ('mq2', 'satellite')");
        writer.AppendMany([.. Enumerable.Range(1, 600).Select(i => new OutgoingMessage { Id = $"m{i}", RoutingKey = i % 2 == 0 ? "even" : "odd", TimeToLive = TimeSpan.FromDays(1) })]);
    }

    [Fact]
    public void Retry_makes_refused_and_expired_messages_due_as_if_never_tried_and_the_feed_look_back()
    {
        Put(3, 1, "deferred");
        Put(5, 1, "rejected");
        Put(7, 1, "expired");
        Put(9, 1, "held");

        OperatorReport report = Apply(AdminOperation.Retry, ["m3", "m5", "m7", "m9", "m11"]);

        Assert.Equal((3, 3), (report.Messages, report.Changed));
        Assert.Equal(new Dictionary<string, int>(StringComparer.Ordinal) { ["held"] = 1, ["pending"] = 6 }, report.Left);
        Assert.Equal(3, _spool.Value<int>("SELECT count(*) FROM delivery WHERE message IN (3, 5, 7) AND server = 1 AND state = 'pending' AND attempts = 0 AND reason IS NULL"));
        Assert.Equal(3, _spool.Value<int>("SELECT rewind FROM server WHERE id = 1"));
        Assert.Equal([true, false], _spool.Query<bool>("SELECT expires_at IS NOT NULL FROM message WHERE seq IN (5, 7) ORDER BY seq"));
        RequireCountersToMatchRows();
    }

    [Fact]
    public void Hold_release_and_cancel_change_only_what_they_may()
    {
        Put(1, 1, "delivered");

        Assert.Equal(1, Apply(AdminOperation.Hold, ["m1"], server: null).Changed);
        Assert.Equal(0, Apply(AdminOperation.Hold, ["m1"], server: "mq1").Changed);
        Assert.Equal(1, Apply(AdminOperation.Release, ["m1"]).Changed);
        Assert.Equal(1, Apply(AdminOperation.Cancel, ["m1"]).Changed);

        Assert.Equal(["delivered", "cancelled"], _spool.Query<string>("SELECT state FROM delivery WHERE message = 1 ORDER BY server"));
        RequireCountersToMatchRows();
    }

    [Fact]
    public void A_filter_chooses_rows_by_server_state_and_topic_across_many_steps()
    {
        using SpoolAdmin spool = SpoolAdmin.Open(_spool.Path);
        var filter = new MessageFilter { Server = "mq2", State = "pending", TopicPattern = "even", Limit = int.MaxValue };

        OperatorReport planned = spool.Apply(AdminOperation.Hold, filter, dryRun: true);
        Assert.Equal(600, _spool.Value<int>("SELECT pending FROM server WHERE name = 'mq2'"));
        OperatorReport done = spool.Apply(AdminOperation.Hold, filter, dryRun: false);

        Assert.Equal((300, 300), (planned.Messages, planned.Changed));
        Assert.Equal((300, 300), (done.Messages, done.Changed));
        Assert.Equal([0, 300], _spool.Query<int>("SELECT held FROM server ORDER BY name"));
        RequireCountersToMatchRows();
    }

    [Fact]
    public void Retry_of_a_message_that_waits_for_a_suspended_exchange_wants_a_probe_and_rewrites_no_row()
    {
        _spool.Execute("INSERT INTO suspension (server, exchange, reason, since, next_probe_at) VALUES (1, 'satellite', '404 NOT_FOUND', 1, 99)");

        using (SpoolReader reader = SpoolReader.Open(_spool.Path))
        {
            DeliveryStatus waiting = reader.ReadStatus("m1")!.Deliveries[0];
            Assert.Equal(("deferred", "404 NOT_FOUND"), (waiting.State, waiting.Reason));
        }

        OperatorReport report = Apply(AdminOperation.Retry, ["m1"], "mq1");

        Assert.Equal((0, 1), (report.Changed, report.Probed));
        Assert.Equal(0, _spool.Value<int>("SELECT next_probe_at FROM suspension"));
        Assert.Equal("pending", _spool.Value<string>("SELECT state FROM delivery WHERE message = 1 AND server = 1"));
    }

    [Fact]
    public void A_server_is_paused_and_resumed_by_name()
    {
        using SpoolAdmin spool = SpoolAdmin.Open(_spool.Path);

        Assert.True(spool.SetPaused("mq1", paused: true));
        Assert.Equal([1, 0], _spool.Query<int>("SELECT paused FROM server ORDER BY name"));
        Assert.True(spool.SetPaused("mq1", paused: false));
        Assert.False(spool.SetPaused("other", paused: true));
    }

    public void Dispose() => _spool.Dispose();

    private OperatorReport Apply(AdminOperation act, string[] ids, string? server = null)
    {
        using SpoolAdmin spool = SpoolAdmin.Open(_spool.Path);
        return spool.Apply(act, ids, server, dryRun: false);
    }

    private void Put(long message, long server, string state) => _spool.Execute(
        $"UPDATE delivery SET state = '{state}', attempts = 4, reason = 'r' WHERE message = {message} AND server = {server}; UPDATE server SET pending = pending - 1, {state} = {state} + 1 WHERE id = {server}");

    private void RequireCountersToMatchRows() => Assert.Equal(
        _spool.Query<string>("SELECT s.name || d.state || count(*) FROM delivery AS d JOIN server AS s ON s.id = d.server GROUP BY s.name, d.state ORDER BY 1"),
        DeliveryState.All.SelectMany(state => _spool.Query<string>($"SELECT name || '{state}' || {state} FROM server WHERE {state} > 0")).Order(StringComparer.Ordinal));
}
