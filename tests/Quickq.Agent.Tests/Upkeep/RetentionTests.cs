using Quickq.Agent.Settings;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Agent.Tests.Upkeep;

/// <summary>Messages that were delivered long ago, but for what a test changes.</summary>
public sealed class RetentionTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly TempSpool _spool = new();

    [Fact(Timeout = 120_000)]
    public async Task What_is_older_than_the_retention_goes_and_what_is_younger_or_not_settled_everywhere_stays()
    {
        RunningUpkeep.FillDelivered(_spool, 3000);
        long now = TimeProvider.System.NowMicroseconds();
        string[] unsettled = ["pending", "deferred", "held", "rejected"];
        for (int i = 0; i < unsettled.Length; i++)
        {
            _spool.Execute($"UPDATE delivery SET state = '{unsettled[i]}', next_attempt_at = {now + 60_000_000}, settled_at = NULL WHERE server = 2 AND message = {100 + i}; UPDATE server SET {unsettled[i]} = 1 WHERE id = 2");
        }

        _spool.Execute($"UPDATE delivery SET settled_at = {now} WHERE server = 1 AND message IN (200, 2999)");

        await using RunningUpkeep upkeep = RunningUpkeep.Start(_spool, new SpoolSettings { Retention = TimeSpan.FromHours(1) });

        int[] kept = [100, 101, 102, 103, 200, 2999];
        await Eventually.Gives("only those six are left", kept.Length, Limit, () => _spool.Value<int>("SELECT count(*) FROM message"));
        Assert.Equal(kept, _spool.Query<int>("SELECT seq FROM message ORDER BY seq"));
        Assert.Equal(2 * kept.Length, _spool.Value<int>("SELECT count(*) FROM delivery"));
        Assert.Equal(2994, _spool.Value<int>("SELECT value FROM tally WHERE name = 'removed'"));
        Assert.Equal([3000, 3000], _spool.Query<int>("SELECT delivered FROM server"));
        Assert.DoesNotContain("WARN", upkeep.Log, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task An_unassigned_message_is_never_removed()
    {
        using (SpoolWriter writer = SpoolWriter.Open(_spool.Path))
        {
            writer.Append(new OutgoingMessage { Id = "early", CreatedAt = DateTimeOffset.UnixEpoch });
        }

        _spool.Execute("INSERT INTO server (name, active) VALUES ('mq1', 0); INSERT INTO message (seq, id, created_at, body) VALUES (10, 'late', 1, '')");
        _spool.Execute("DELETE FROM unassigned WHERE message = 10; UPDATE tally SET value = 1 WHERE name = 'unassigned'; INSERT INTO delivery (message, server, state, settled_at) VALUES (10, 1, 'delivered', 1)");

        await using RunningUpkeep upkeep = RunningUpkeep.Start(_spool, new SpoolSettings { Retention = TimeSpan.Zero });

        await Eventually.Gives("the delivered one is gone", 1, Limit, () => _spool.Value<int>("SELECT count(*) FROM message"));
        Assert.Equal("early", _spool.Value<string>("SELECT id FROM message"));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_changed_retention_is_followed_without_a_restart()
    {
        RunningUpkeep.FillDelivered(_spool, 300);
        await using RunningUpkeep upkeep = RunningUpkeep.Start(_spool, new SpoolSettings { Retention = TimeSpan.FromDays(36_500) });
        await upkeep.Ledger.RunAsync(connection => true);
        Assert.Equal(300, _spool.Value<int>("SELECT count(*) FROM message"));

        upkeep.Apply(new SpoolSettings { Retention = TimeSpan.FromDays(7) });

        await Eventually.Gives("all are removed", 0, Limit, () => _spool.Value<int>("SELECT count(*) FROM message"));
    }

    [Fact(Timeout = 120_000)]
    public async Task Above_four_fifths_of_maxSize_the_oldest_settled_go_before_their_time_and_only_as_many_as_must()
    {
        RunningUpkeep.FillDelivered(_spool, 1000, bodyBytes: 4000);
        _spool.Execute("UPDATE delivery SET state = 'pending', settled_at = NULL WHERE message = 5 AND server = 1; UPDATE server SET pending = 1 WHERE id = 1");
        const long MaxSize = 4 << 20;

        await using RunningUpkeep upkeep = RunningUpkeep.Start(_spool, new SpoolSettings { Retention = TimeSpan.FromDays(36_500), MaxSizeBytes = MaxSize });

        await Eventually.Is("the spool says that there is room again", Limit, () => upkeep.Log.Contains("there is room again", StringComparison.Ordinal));
        long live = _spool.Value<long>("SELECT 4096 * (c.page_count - f.freelist_count) FROM pragma_page_count AS c, pragma_freelist_count AS f");
        Assert.InRange(live, MaxSize / 8, MaxSize / 10 * 8); // a step removes up to five hundred at once
        IReadOnlyList<int> left = _spool.Query<int>("SELECT seq FROM message ORDER BY seq");
        Assert.Equal(5, left[0]);
        Assert.Equal(1000, left[^1]);
        Assert.Equal(Enumerable.Range(left[1], left.Count - 1), left.Skip(1));
        Assert.Contains("WARN room is short", upkeep.Log, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task Freed_pages_go_back_to_the_disk_and_the_file_shrinks()
    {
        RunningUpkeep.FillDelivered(_spool, 6000, bodyBytes: 4000);
        Assert.InRange(_spool.Value<long>("SELECT page_count FROM pragma_page_count"), 6000, 20_000);

        await using RunningUpkeep upkeep = RunningUpkeep.Start(_spool, new SpoolSettings());

        await Eventually.Is("the file holds hardly more than the pages that are kept for what comes next", Limit,
            () => _spool.Value<int>("SELECT count(*) FROM message") == 0 && _spool.Value<long>("SELECT page_count FROM pragma_page_count") < 1200);
    }

    public void Dispose() => _spool.Dispose();
}
