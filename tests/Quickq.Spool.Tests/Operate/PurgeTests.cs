using Quickq.Spool.Upkeep;
using Quickq.Testing;

namespace Quickq.Spool.Tests.Operate;

/// <summary>Messages that went to two servers, delivered by both one a second from the epoch on, mq2 half a second later.</summary>
public sealed class PurgeTests : IDisposable
{
    private readonly TempSpool _spool = new();

    [Fact]
    public void What_every_server_was_done_with_before_the_time_is_removed_and_nothing_else()
    {
        Fill(1500, bodyBytes: 10);

        Assert.Equal(1199, Purge(before: 1200.5).Messages);

        Assert.Equal((301, 1200), _spool.Value<(int, int)>("SELECT count(*), min(seq) FROM message"));
        Assert.Equal((602, 1200), _spool.Value<(int, int)>("SELECT count(*), min(message) FROM delivery"));
        Assert.Equal([1500, 1500], _spool.Query<int>("SELECT delivered FROM server"));
        using SpoolReader reader = SpoolReader.Open(_spool.Path);
        Assert.Equal(301, reader.ReadOverview().Messages);
    }

    [Fact]
    public void A_message_that_some_server_still_waits_for_or_has_parked_stays_whatever_its_age()
    {
        Fill(8, bodyBytes: 10);
        string[] states = ["pending", "deferred", "held", "rejected", "cancelled", "expired", "delivered"];
        for (int i = 0; i < states.Length; i++)
        {
            _spool.Execute($"UPDATE delivery SET state = '{states[i]}' WHERE server = 2 AND message = {i + 1}");
        }

        Assert.Equal(4, Purge(before: 1e9).Messages);

        Assert.Equal([1, 2, 3, 4], _spool.Query<int>("SELECT seq FROM message ORDER BY seq"));
    }

    [Fact]
    public void A_message_that_no_server_was_given_yet_stays()
    {
        using (SpoolWriter writer = SpoolWriter.Open(_spool.Path))
        {
            writer.Append(new OutgoingMessage { Id = "early" });
        }

        Assert.Equal(0, Purge(before: 1e9).Messages);
        Assert.Equal(1, _spool.Value<int>("SELECT count(*) FROM message"));
    }

    [Fact]
    public void A_dry_run_counts_the_same_and_changes_nothing()
    {
        Fill(500, bodyBytes: 10);
        Assert.Equal(new PurgeReport(500, 0), Purge(before: 1e9, dryRun: true));
        Assert.Equal(500, _spool.Value<int>("SELECT count(*) FROM message"));
    }

    [Fact]
    public void Freed_pages_go_back_to_the_disk_and_large_bodies_make_small_steps()
    {
        Fill(40, bodyBytes: 1024 * 1024);
        long size = _spool.Value<long>("SELECT page_count FROM pragma_page_count");
        int steps = 0;
        using (SpoolFile file = SpoolFile.OpenForReading(_spool.Path))
        {
            for (long after = 0; file.Read(connection => SettledMessageReaper.FindSome(connection, after, long.MaxValue)) is { Messages.Count: > 0 } page; after = page.Next)
            {
                steps++;
            }
        }

        PurgeReport report = Purge(before: 1e9);

        Assert.Equal(40, report.Messages);
        Assert.InRange(report.GivenBackBytes, 39 * 1024 * 1024, 42 * 1024 * 1024);
        Assert.InRange(_spool.Value<long>("SELECT page_count FROM pragma_page_count"), 1, size / 20);
        Assert.Equal(0, _spool.Value<long>("SELECT freelist_count FROM pragma_freelist_count"));
        Assert.Equal(5, steps);
    }

    [Fact]
    public void A_message_replayed_after_it_was_found_is_not_removed()
    {
        Fill(3, bodyBytes: 10);
        using var file = SpoolFile.OpenForWriting(_spool.Path, create: false);
        ReapPage page = file.Read(connection => SettledMessageReaper.FindSome(connection, 0, long.MaxValue));
        _spool.Execute("UPDATE delivery SET state = 'pending' WHERE message = 2 AND server = 1");

        int removed = file.Write(connection => SettledMessageReaper.Remove_NeedsTransaction(connection, page.Messages)).Removed;

        Assert.Equal(2, removed);
        Assert.Equal(2, _spool.Value<int>("SELECT seq FROM message"));
        Assert.Equal(2, _spool.Value<int>("SELECT value FROM tally WHERE name = 'removed'"));
    }

    public void Dispose() => _spool.Dispose();

    private void Fill(int count, int bodyBytes)
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        _spool.Execute("INSERT INTO server (name) VALUES ('mq1'), ('mq2')");
        byte[] body = Some.Bytes(bodyBytes);
        writer.AppendMany([.. Enumerable.Range(1, count).Select(i => new OutgoingMessage { Id = $"m{i}", Body = body })]);
        _spool.Execute(
            $"""
            UPDATE delivery SET state = 'delivered', attempts = 1, settled_at = message * 1000000 + (server - 1) * 500000;
            UPDATE server SET pending = 0, delivered = {count};
            """);
    }

    private PurgeReport Purge(double before, bool dryRun = false)
    {
        using SpoolAdmin spool = SpoolAdmin.Open(_spool.Path);
        return spool.Purge(DateTimeOffset.UnixEpoch.AddSeconds(before), dryRun);
    }
}
