using Quickq.Agent.Forwarding;
using Quickq.Agent.Ledger;
using Quickq.Agent.Timing;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Agent.Tests.Ledger;

public sealed class SettlementWriterTests : IDisposable
{
    private const long Now = 1_000_000_000;
    private readonly TempSpool _spool = new();
    private readonly SettlementWriter _writer = new(new RetrySchedule(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5), () => 0.999_999));
    private readonly SpoolFile _file;

    public SettlementWriterTests()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        writer.Append(new OutgoingMessage { Id = "unassigned" });
        _spool.Execute("INSERT INTO server (name) VALUES ('mq1'), ('mq2')");
        writer.AppendMany([.. Enumerable.Range(2, 9).Select(i => new OutgoingMessage { Id = $"m{i}" })]);
        _file = SpoolFile.OpenForWriting(_spool.Path, create: false);
    }

    [Fact]
    public void Delivered_messages_are_written_with_their_endpoint_and_counted_once()
    {
        Assert.Equal(3, Write(new Settlement(2, "delivered", Now), new Settlement(3, "delivered", Now, Unrouted: true), new Settlement(5, "delivered", Now)));
        Assert.Equal(0, Write(new Settlement(2, "delivered", Now)));

        Assert.Equal([2, 3, 5], _spool.Query<int>("SELECT message FROM delivery WHERE server = 1 AND state = 'delivered' AND attempts = 1 AND endpoint = 'e' AND settled_at > 0"));
        Assert.Equal([6, 3, 1], Counters("pending", "delivered", "unrouted"));
        Assert.Equal(9, _spool.Value<int>("SELECT pending FROM server WHERE id = 2"));
        RequireCountersToMatchRows();
    }

    [Fact]
    public void What_no_queue_received_says_so_also_when_an_operator_held_it_meanwhile()
    {
        _spool.Execute("UPDATE delivery SET state = 'held' WHERE message = 4 AND server = 1; UPDATE server SET pending = pending - 1, held = held + 1 WHERE id = 1");

        Write([.. Enumerable.Range(2, 5).Select(seq => new Settlement(seq, "delivered", Now, Unrouted: seq is 3 or 4))]);

        Assert.Equal([3, 4], _spool.Query<int>("SELECT message FROM delivery WHERE server = 1 AND state = 'delivered' AND reason = 'no queue received it'"));
        Assert.Equal([2, 5, 6], _spool.Query<int>("SELECT message FROM delivery WHERE server = 1 AND state = 'delivered' AND reason IS NULL"));
        Assert.Equal([4, 5, 2], Counters("pending", "delivered", "unrouted"));
        RequireCountersToMatchRows();
    }

    [Theory]
    [InlineData(new long[] { 2, 3, 4 }, new long[] { 2, 3, 4 })]
    [InlineData(new long[] { 4, 2, 3 }, new long[] { 2, 3, 4 })]
    [InlineData(new long[] { 2, 3, 5 }, new long[] { 2, 3, 5 })]
    [InlineData(new long[] { 7, 4 }, new long[] { 4, 7 })]
    [InlineData(new long[] { 2, 2, 4 }, new long[] { 2, 4 })]
    public void Exactly_the_confirmed_messages_become_delivered_whether_they_are_neighbours_or_not(long[] confirmed, long[] delivered)
    {
        Write([.. confirmed.Select(seq => new Settlement(seq, "delivered", Now))]);

        Assert.Equal(delivered, _spool.Query<long>("SELECT message FROM delivery WHERE server = 1 AND state = 'delivered'"));
        Assert.Equal(0, _spool.Value<int>("SELECT count(*) FROM delivery WHERE server = 2 AND state = 'delivered'"));
        RequireCountersToMatchRows();
    }

    [Theory]
    [InlineData("held", "delivered")]
    [InlineData("cancelled", "delivered")]
    [InlineData("rejected", "delivered")]
    public void A_confirm_wins_over_what_an_operator_said_while_it_was_in_flight(string meanwhile, string afterwards)
    {
        _spool.Execute($"UPDATE delivery SET state = '{meanwhile}' WHERE message = 3 AND server = 1; UPDATE server SET pending = pending - 1, {meanwhile} = {meanwhile} + 1 WHERE id = 1");

        Write(new Settlement(2, "delivered", Now), new Settlement(3, "delivered", Now));

        Assert.Equal(afterwards, State(3));
        RequireCountersToMatchRows();
    }

    [Fact]
    public void A_refusal_does_not_undo_what_an_operator_said()
    {
        _spool.Execute("UPDATE delivery SET state = 'held' WHERE message = 3 AND server = 1; UPDATE server SET pending = pending - 1, held = held + 1 WHERE id = 1");

        Write(new Settlement(3, "deferred", Now, Reason: "nack"));

        Assert.Equal("held", State(3));
        RequireCountersToMatchRows();
    }

    [Fact]
    public async Task A_deferred_message_waits_longer_after_each_refusal()
    {
        var delays = new List<long>();
        for (int i = 0; i < 3; i++)
        {
            Write(new Settlement(4, "deferred", Now, Reason: "nack"));
            delays.Add(_spool.Value<long>("SELECT next_attempt_at FROM delivery WHERE message = 4 AND server = 1") - Now);
            _spool.Execute("UPDATE delivery SET state = 'pending' WHERE message = 4 AND server = 1; UPDATE server SET pending = pending + 1, deferred = deferred - 1 WHERE id = 1");
        }

        Assert.Equal([1, 2, 4], delays.Select(delay => Math.Round(delay / 1e6)));
        Assert.Equal(4, _spool.Value<int>("SELECT rewind FROM server WHERE id = 1"));
        await _writer.Deferred.Next.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
    }

    [Fact]
    public void A_message_that_was_removed_meanwhile_is_left_alone()
    {
        _spool.Execute("DELETE FROM delivery WHERE message = 2");

        Assert.Equal(1, Write(new Settlement(2, "delivered", Now), new Settlement(3, "delivered", Now)));
    }

    public void Dispose()
    {
        _file.Dispose();
        _spool.Dispose();
    }

    private int Write(params Settlement[] settlements) => _file.Write(connection => _writer.Write_NeedsTransaction(connection, new SettlementBatch(1, "e", settlements)));

    private string State(long message) => _spool.Value<string>("SELECT state FROM delivery WHERE message = @message AND server = 1", new { message });

    private int[] Counters(params string[] names) => [.. names.Select(name => _spool.Value<int>($"SELECT {name} FROM server WHERE id = 1"))];

    private void RequireCountersToMatchRows()
    {
        foreach (string state in DeliveryState.All)
        {
            Assert.Equal(_spool.Value<int>("SELECT count(*) FROM delivery WHERE server = 1 AND state = @state", new { state }), Counters(state)[0]);
        }
    }
}
