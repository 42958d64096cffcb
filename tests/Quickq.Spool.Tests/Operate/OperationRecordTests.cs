using Quickq.Testing;

namespace Quickq.Spool.Tests.Operate;

/// <summary>Who did what is in the spool: one row for each command that changed something, whole with its changes, and not without bounds.</summary>
public sealed class OperationRecordTests : IDisposable
{
    private readonly TempSpool _spool = new();

    public OperationRecordTests()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        _spool.Execute("INSERT INTO server (name) VALUES ('mq1'), ('mq2')");
        writer.AppendMany([.. Enumerable.Range(1, 500).Select(i => new OutgoingMessage { Id = $"m{i}" })]);
    }

    [Fact]
    public void Each_change_is_a_row_with_who_what_and_how_many()
    {
        using (SpoolAdmin spool = SpoolAdmin.Open(_spool.Path, new OperationSource(1000, "alice", "--server mq1")))
        {
            spool.Apply(AdminOperation.Hold, new MessageFilter { Server = "mq1", Limit = int.MaxValue - 1 }, dryRun: true);
            spool.Apply(AdminOperation.Hold, new MessageFilter { Server = "mq1", Limit = int.MaxValue - 1 }, dryRun: false);
            spool.Apply(AdminOperation.Hold, new MessageFilter { Server = "mq1", Limit = int.MaxValue - 1 }, dryRun: false);
            spool.SetPaused("mq2", paused: true);
            spool.SetPaused("mq2", paused: true);
            spool.Apply(AdminOperation.Cancel, ["m1"], server: null, dryRun: false);
            _spool.Execute("UPDATE delivery SET state = 'delivered', settled_at = 9 WHERE server = 2 AND message > 1; UPDATE server SET pending = 0, delivered = 499 WHERE id = 2");
            spool.Replay("mq2", since: null, until: null, dryRun: false);
            spool.Record("import", 17);
        }

        Assert.Equal(
            ["1000 alice hold --server mq1 500", "1000 alice pause --server mq1 1", "1000 alice cancel --server mq1 2", "1000 alice replay --server mq1 499", "1000 alice import --server mq1 17"],
            _spool.Query<string>("SELECT uid || ' ' || name || ' ' || command || ' ' || filter || ' ' || count FROM operation WHERE at > 0 ORDER BY id"));
    }

    [Fact]
    public void The_newest_of_the_last_90_days_are_kept()
    {
        long old = DateTimeOffset.UtcNow.AddDays(-91).ToUnixTimeMilliseconds() * 1000, recent = DateTimeOffset.UtcNow.AddDays(-89).ToUnixTimeMilliseconds() * 1000;
        _spool.Execute(
            $"""
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10050)
            INSERT INTO operation (id, at, command, filter, count) SELECT i, CASE WHEN i > 9000 AND i <= 9010 THEN {old} ELSE {recent} END, 'hold', '', 1 FROM n
            """);
        using (SpoolAdmin spool = SpoolAdmin.Open(_spool.Path))
        {
            spool.Record("purge", 1);
        }

        Assert.Equal((10_000 - 10, 52), (_spool.Value<int>("SELECT count(*) FROM operation"), _spool.Value<int>("SELECT min(id) FROM operation")));
        Assert.Equal((long)Quickq.Spool.Files.UserAccount.EffectiveId, _spool.Value<long>("SELECT uid FROM operation ORDER BY id DESC LIMIT 1"));
    }

    public void Dispose() => _spool.Dispose();
}
