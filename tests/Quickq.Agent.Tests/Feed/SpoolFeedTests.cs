using Quickq.Agent.Feed;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Agent.Tests.Feed;

public sealed class SpoolFeedTests : IDisposable
{
    private readonly TempSpool _spool = new();

    public SpoolFeedTests()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        _spool.Execute("INSERT INTO server (name) VALUES ('mq1'), ('mq2')");
        writer.AppendMany([.. Enumerable.Range(1, 10).Select(_ => new OutgoingMessage { Body = new byte[100] })]);
    }

    [Fact]
    public void Pages_follow_each_other_in_order_without_gap_or_repeat()
    {
        using var feed = new SpoolFeed(_spool.Path, server: 1);

        Assert.Equal([1, 2, 3], Next(feed, 3));
        Assert.Equal([4, 5, 6, 7, 8, 9, 10], Next(feed, 100));
        Assert.Empty(Next(feed, 100));
    }

    [Fact]
    public void A_page_ends_with_the_message_that_fills_its_bytes()
    {
        using var feed = new SpoolFeed(_spool.Path, server: 1);

        Assert.Equal([1, 2, 3], Next(feed, 100, bytes: 250));
        Assert.Equal([4], Next(feed, 100, bytes: 1));
    }

    [Fact]
    public void A_body_is_handed_out_once()
    {
        using var feed = new SpoolFeed(_spool.Path, server: 1);
        FeedMessage message = feed.Next(1, long.MaxValue, long.MaxValue, filter: null)[0];

        Assert.Equal(new byte[100], message.TakeBody());
        Assert.Throws<InvalidOperationException>(() => message.TakeBody());
    }

    [Fact]
    public void Only_pending_rows_of_this_server_are_handed_out()
    {
        _spool.Execute("UPDATE delivery SET state = 'delivered' WHERE server = 1 AND message IN (1, 3); UPDATE delivery SET state = 'held' WHERE server = 1 AND message = 4");
        using var first = new SpoolFeed(_spool.Path, server: 1);
        using var second = new SpoolFeed(_spool.Path, server: 2);

        Assert.Equal([2, 5, 6], Next(first, 3));
        Assert.Equal([1, 2, 3], Next(second, 3));
    }

    [Fact]
    public void Nothing_passes_a_message_that_is_being_assigned()
    {
        _spool.Execute("INSERT INTO unassigned (message) VALUES (2), (4), (7); INSERT INTO tally (name, value) VALUES ('assigning', 3)");
        using var feed = new SpoolFeed(_spool.Path, server: 1);

        FeedMarks marks = feed.ReadMarks()!;

        Assert.Equal(4, marks.Barrier);
        Assert.Equal([1, 2, 3], Next(feed, 100, barrier: marks.Barrier));
    }

    [Fact]
    public void What_is_for_no_server_holds_nothing_back()
    {
        _spool.Execute("INSERT INTO unassigned (message) VALUES (4)");
        using var feed = new SpoolFeed(_spool.Path, server: 1);

        Assert.Equal(long.MaxValue, feed.ReadMarks()!.Barrier);
    }

    [Fact]
    public void What_is_made_pending_again_moves_the_mark_to_the_lowest()
    {
        _spool.Execute("UPDATE delivery SET state = 'deferred' WHERE server = 1 AND message IN (3, 5)");
        using var feed = new SpoolFeed(_spool.Path, server: 1);
        Next(feed, 100);

        _spool.Execute("UPDATE delivery SET state = 'pending' WHERE server = 1 AND message = 5; UPDATE delivery SET state = 'pending' WHERE server = 1 AND message = 3");

        Assert.Equal(3, feed.ReadMarks()!.Rewind);
        feed.GoBackBefore(3);
        Assert.Equal([3, 4, 5], Next(feed, 3));
    }

    [Fact]
    public void Exchanges_that_are_passed_by_are_not_read_again_until_somebody_goes_back()
    {
        _spool.Execute("UPDATE server SET exchange = 'default'; UPDATE message SET exchange = 'other' WHERE seq IN (2, 9)");
        using var feed = new SpoolFeed(_spool.Path, server: 1);

        Assert.Equal([2, 9], Next(feed, 100, but: ["default"]));
        Assert.Empty(Next(feed, 100, but: ["default"]));
        Assert.Equal(10, feed.Position);
        feed.GoBackBefore(1);
        Assert.Equal([1, 3, 4], Next(feed, 3, but: ["other"]));
    }

    [Fact]
    public void Routing_keys_that_are_passed_by_cost_their_exchange_nothing()
    {
        _spool.Execute("UPDATE server SET exchange = 'e'; UPDATE message SET routing_key = 'full' WHERE seq IN (1, 2, 4); UPDATE message SET routing_key = 'full', exchange = 'other' WHERE seq = 5");
        using var feed = new SpoolFeed(_spool.Path, server: 1);
        var but = new FeedFilter { Keys = [("e", "full"), ("e", "it's [\"odd\"]\n")] };

        Assert.Equal([3, 5, 6], feed.Next(3, long.MaxValue, long.MaxValue, but).Select(message => message.Seq));
    }

    [Fact]
    public void What_one_flow_reads_for_itself_leaves_the_position_where_it_is()
    {
        _spool.Execute("UPDATE server SET exchange = 'e'; UPDATE message SET routing_key = 'k' WHERE seq IN (2, 4, 6); UPDATE message SET exchange = 'other' WHERE seq = 4");
        using var feed = new SpoolFeed(_spool.Path, server: 1);
        Next(feed, 100);

        FeedStretch ofKey = feed.ReadAside(1, 10, long.MaxValue, long.MaxValue, new FeedFilter { OnlyExchange = "e", OnlyKey = "k" });
        FeedStretch ofExchange = feed.ReadAside(0, 10, long.MaxValue, long.MaxValue, new FeedFilter { OnlyExchange = "other" });
        FeedStretch end = feed.ReadAside(6, 10, long.MaxValue, long.MaxValue, new FeedFilter { OnlyExchange = "e", OnlyKey = "k" });

        Assert.Equal([2, 6], ofKey.Messages.Select(message => message.Seq));
        Assert.Equal((6, false), (ofKey.UpTo, ofKey.IsAtEnd));
        Assert.Equal([4], ofExchange.Messages.Select(message => message.Seq));
        Assert.Equal((0, 10, true), (end.Messages.Count, end.UpTo, end.IsAtEnd));
        Assert.Equal(10, feed.Position);
    }

    public void Dispose() => _spool.Dispose();

    private static long[] Next(SpoolFeed feed, int count, long bytes = long.MaxValue, long barrier = long.MaxValue, params string[] but) =>
        [.. feed.Next(count, bytes, barrier, but.Length == 0 ? null : new FeedFilter { Exchanges = but }).Select(message => message.Seq)];
}
