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
    public void A_body_is_read_again_of_that_very_message_only()
    {
        using var feed = new SpoolFeed(_spool.Path, server: 1);
        IReadOnlyList<FeedMessage> page = feed.Next(3, long.MaxValue, long.MaxValue, []);
        _spool.Execute("UPDATE message SET body = x'010203' WHERE seq = 1; UPDATE message SET id = 'of-another-spool' WHERE seq = 2; DELETE FROM delivery WHERE message = 3; DELETE FROM message WHERE seq = 3");

        Assert.Equal([1, 2, 3], feed.ReadBody(page[0]));
        Assert.Null(feed.ReadBody(page[1]));
        Assert.Null(feed.ReadBody(page[2]));
        Assert.Equal(new byte[100], page[0].TakeBody());
        Assert.Throws<InvalidOperationException>(() => page[0].TakeBody());
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
    public void Nothing_passes_a_message_that_still_waits_to_be_assigned()
    {
        _spool.Execute("INSERT INTO unassigned (message) VALUES (4), (7)");
        using var feed = new SpoolFeed(_spool.Path, server: 1);

        FeedMarks marks = feed.ReadMarks()!;

        Assert.Equal(4, marks.Barrier);
        Assert.Equal([1, 2, 3], Next(feed, 100, barrier: marks.Barrier));
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

    public void Dispose() => _spool.Dispose();

    private static long[] Next(SpoolFeed feed, int count, long bytes = long.MaxValue, long barrier = long.MaxValue, params string[] but) =>
        [.. feed.Next(count, bytes, barrier, but).Select(message => message.Seq)];
}
