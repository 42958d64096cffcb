using Quickq.Agent.Settings;
using Quickq.Agent.Upkeep;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Agent.Tests.Upkeep;

/// <summary>Messages with a time to live behind servers that never come.</summary>
public sealed class ExpiredMessagesTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private static readonly SpoolSettings Settings = new();
    private readonly TempSpool _spool = new();
    private readonly SetClock _clock = new();

    [Fact(Timeout = 120_000)]
    public async Task A_message_behind_a_dead_server_expires_when_its_time_has_come_and_is_counted_once()
    {
        Add(count: 2500, TimeSpan.FromHours(1));
        Add(count: 3, timeToLive: null);
        Add(count: 4, TimeSpan.FromHours(3));
        _spool.Execute("UPDATE delivery SET state = 'delivered', settled_at = 1 WHERE message <= 100 AND server = 1; UPDATE server SET pending = pending - 100, delivered = 100 WHERE id = 1");
        _spool.Execute("UPDATE delivery SET state = 'held' WHERE message = 200 AND server = 1; UPDATE server SET pending = pending - 1, held = 1 WHERE id = 1");
        _spool.Execute("UPDATE delivery SET state = 'deferred', next_attempt_at = 9e18 WHERE message = 201 AND server = 2; UPDATE server SET pending = pending - 1, deferred = 1 WHERE id = 2");
        await using RunningUpkeep upkeep = RunningUpkeep.Start(_spool, Settings, _clock, _clock.SinceBoot);
        await upkeep.Ledger.RunAsync(connection => true);
        Assert.Equal([0, 0], _spool.Query<int>("SELECT expired FROM server"));

        _clock.Passed += TimeSpan.FromHours(2);
        _spool.Execute("UPDATE setting SET value = value");

        await Eventually.Gives("all 2,500 but what the server had or an operator holds are expired", (2399, 2500), Limit,
            () => _spool.Value<(int, int)>("SELECT a.expired, b.expired FROM server AS a, server AS b WHERE a.id = 1 AND b.id = 2"));
        Assert.Equal([(7L, 100L, 1L, 0L), (7L, 0L, 0L, 0L)], _spool.Query<(long, long, long, long)>("SELECT pending, delivered, held, deferred FROM server ORDER BY id"));
        Assert.Equal(4899, _spool.Value<int>("SELECT count(*) FROM delivery WHERE state = 'expired' AND reason = 'its time to live ran out' AND settled_at > 0"));
    }

    [Fact(Timeout = 120_000)]
    public async Task After_a_step_of_the_clock_none_expires_for_five_minutes_and_none_is_stuck_afterwards()
    {
        Add(count: 5, TimeSpan.FromHours(1));
        await using RunningUpkeep upkeep = RunningUpkeep.Start(_spool, Settings, _clock, _clock.SinceBoot);
        await upkeep.Ledger.RunAsync(connection => true);
        _clock.WallOffset += TimeSpan.FromDays(1);
        _spool.Execute("UPDATE setting SET value = value");
        await Eventually.Is("the step is told", Limit, () => upkeep.Log.Contains("the clock was set forward", StringComparison.Ordinal));
        Add(count: 1, TimeSpan.FromDays(2));
        Assert.Equal([0, 0], _spool.Query<int>("SELECT expired FROM server"));

        _clock.Passed += TimeSpan.FromMinutes(5.1);
        _spool.Execute("UPDATE setting SET value = value");

        await Eventually.Gives("those that are over are expired", 5, Limit, () => _spool.Value<int>("SELECT expired FROM server WHERE id = 1"));
        Assert.Equal(6 - 5, _spool.Value<int>("SELECT pending FROM server WHERE id = 1"));
    }

    [Fact]
    public void The_search_follows_the_index_of_expiry_times()
    {
        Add(count: 1, TimeSpan.FromHours(1));
        using var file = SpoolFile.OpenForReading(_spool.Path);

        IReadOnlyList<string> plan = file.Read(connection => QueryPlan.Of(connection, ExpiredMessages.SelectPage));

        Assert.Contains(plan, step => step.Contains("USING INDEX message_expiry", StringComparison.Ordinal) || step.Contains("USING COVERING INDEX message_expiry", StringComparison.Ordinal));
        Assert.DoesNotContain(plan, step => step.StartsWith("SCAN", StringComparison.Ordinal) || step.Contains("TEMP B-TREE", StringComparison.Ordinal));
    }

    public void Dispose() => _spool.Dispose();

    private void Add(int count, TimeSpan? timeToLive)
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        if (_spool.Value<int>("SELECT count(*) FROM server") == 0)
        {
            _spool.Execute("INSERT INTO server (name) VALUES ('mq1'), ('mq2')");
        }

        writer.AppendMany([.. Enumerable.Range(0, count).Select(_ => new OutgoingMessage { TimeToLive = timeToLive })]);
    }
}
