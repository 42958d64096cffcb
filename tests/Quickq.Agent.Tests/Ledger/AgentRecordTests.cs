using Quickq.Agent.Ledger;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Agent.Tests.Ledger;

/// <summary>What the agent says of itself and its servers, for those who look.</summary>
public sealed class AgentRecordTests : IDisposable
{
    private const long Hour = 3_600_000_000;

    private readonly TempSpool _spool = new();
    private readonly SpoolFile _file;

    public AgentRecordTests()
    {
        _file = SpoolFile.OpenForWriting(_spool.Path, create: true);
        _spool.Execute("INSERT INTO server (name, exchange) VALUES ('mq1', 'satellite')");
    }

    [Fact]
    public void How_the_one_before_ended_is_known()
    {
        Start(pid: 1);
        Assert.Equal((null, null), Ended());
        Start(pid: 2);
        Assert.Equal(("killed", null), Ended());
        Write(connection => AgentRecord.Stop_NeedsTransaction(connection, now: 77));
        Assert.Equal(("killed", SpoolTime.FromMicroseconds(77)), Ended());
        Start(pid: 3);

        Assert.Equal(("stopped", null), Ended());
        Assert.Equal(("1.2.3", 3L, "/etc/quickq/quickq.json"), (Read().Agent!.Version, Read().Agent!.Pid, Read().Agent!.ConfigPath));
    }

    [Fact]
    public void A_configuration_that_is_refused_is_shown_until_one_is_accepted()
    {
        Start(pid: 1);
        Write(connection => AgentRecord.NoteConfiguration_NeedsTransaction(connection, "servers: no servers configured"));
        Assert.Equal("servers: no servers configured", Read().Agent!.ConfigError);
        Write(connection => AgentRecord.NoteConfiguration_NeedsTransaction(connection, error: null));
        Assert.Null(Read().Agent!.ConfigError);
    }

    [Fact]
    public void An_error_is_over_when_the_server_is_connected_and_is_forgotten_an_hour_later()
    {
        long now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() * 1000;
        Write(new ConnectionRecord(1, "reconnecting", Endpoint: null, now - 10, "refused").Write_NeedsTransaction);
        Assert.Equal(("refused", null), Trouble());
        Write(new ConnectionRecord(1, "connected", "e", now, Error: null).Write_NeedsTransaction);
        Write(new ConnectionRecord(1, "connected", "e", now + 5, Error: null).Write_NeedsTransaction);
        Assert.Equal(("refused", SpoolTime.FromMicroseconds(now)), Trouble());
        _spool.Execute($"UPDATE server SET recovered_at = {now - Hour - 60_000_000}");
        Assert.Null(Trouble().Error);
        Write(new ConnectionRecord(1, "reconnecting", Endpoint: null, now + 20, "closed").Write_NeedsTransaction);
        Assert.Equal(("closed", null), Trouble());
    }

    [Fact]
    public void An_exchange_and_a_routing_key_in_trouble_are_shown_each_with_its_own_and_recovered_from_together()
    {
        Write(new ConnectionRecord(1, "connected", "e", 1, Error: null).Write_NeedsTransaction);
        Write(new SuspensionRecord(1, "nowhere", "NOT_FOUND", 10, 20).Write_NeedsTransaction);
        Write(new KeySuspensionRecord(1, "satellite", "", "nack", 30, 40).Write_NeedsTransaction);
        Write(new KeySuspensionRecord(1, "satellite", "geo", "nack", 31, 41).Write_NeedsTransaction);
        Write(new KeySuspensionRecord(1, "satellite", "geo", "no answer", 50, 60).Write_NeedsTransaction);

        Assert.Equal(
            [new SuspensionStatus("nowhere", RoutingKey: null, "NOT_FOUND", At(10), At(20)), new("satellite", "", "nack", At(30), At(40)), new("satellite", "geo", "no answer", At(31), At(60))],
            Read().Servers[0].Suspensions);
        Write(new SuspensionRecord(1, "nowhere", Reason: null, 70, 0).Write_NeedsTransaction);
        Write(new KeySuspensionRecord(1, "satellite", "", Reason: null, 71, 0).Write_NeedsTransaction);
        Assert.Null(Read().Servers[0].RecoveredAt);
        Write(new KeySuspensionRecord(1, "satellite", "geo", Reason: null, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() * 1000, 0).Write_NeedsTransaction);
        Assert.NotNull(Read().Servers[0].RecoveredAt);
        Assert.Empty(Read().Servers[0].Suspensions);
    }

    [Fact]
    public void A_message_whose_key_is_in_trouble_reads_as_deferred_and_a_retry_probes_it()
    {
        using (SpoolWriter writer = SpoolWriter.Open(_spool.Path))
        {
            writer.AppendMany([new OutgoingMessage { Id = "a", RoutingKey = "geo" }, new OutgoingMessage { Id = "b", RoutingKey = "leo" }, new OutgoingMessage { Id = "c", Exchange = "other", RoutingKey = "geo" }]);
        }

        Write(new KeySuspensionRecord(1, "satellite", "geo", "nack", 30, 40).Write_NeedsTransaction);
        using SpoolReader reader = SpoolReader.Open(_spool.Path);
        Assert.Equal(["a deferred nack", "b pending ", "c pending "], ((string[])["a", "b", "c"]).Select(id => $"{id} {reader.ReadStatus(id)!.Deliveries[0].State} {reader.ReadStatus(id)!.Deliveries[0].Reason}"));
        Assert.Equal(["a"], reader.List(new MessageFilter { State = "deferred" }).Select(message => message.Id));
        using SpoolAdmin spool = SpoolAdmin.Open(_spool.Path);

        Assert.Equal(1, spool.Apply(AdminOperation.Retry, ["a", "b", "c"], server: null, dryRun: false).Probed);

        Assert.True(new Quickq.Agent.Feed.SpoolFeed(_spool.Path, 1).ReadMarks()!.ProbeWanted);
        (IReadOnlyList<string> exchanges, IReadOnlyList<(string Exchange, string RoutingKey)> keys) = _file.Write(connection => SuspensionRecord.TakeProbeWishes_NeedsTransaction(connection, 1, now: 99));
        Assert.Empty(exchanges);
        Assert.Equal([("satellite", "geo")], keys);
        Assert.Equal(99, _spool.Value<int>("SELECT next_probe_at FROM key_suspension"));
    }

    [Fact]
    public void A_server_shows_no_more_keys_than_it_can_have_in_trouble()
    {
        for (int i = 0; i < 1_010; i++)
        {
            int key = i;
            Write(new KeySuspensionRecord(1, "satellite", $"k{key}", "nack", At: key, NextProbeAt: key + 1).Write_NeedsTransaction);
        }

        Assert.Equal((1_000, 10), (_spool.Value<int>("SELECT count(*) FROM key_suspension"), _spool.Value<int>("SELECT min(since) FROM key_suspension")));
    }

    public void Dispose()
    {
        _file.Dispose();
        _spool.Dispose();
    }

    private static DateTimeOffset At(long microseconds) => SpoolTime.FromMicroseconds(microseconds);

    private void Start(int pid) => Write(connection => AgentRecord.Start_NeedsTransaction(connection, "1.2.3", pid, "/etc/quickq/quickq.json", now: pid));

    private void Write(Action<Microsoft.Data.Sqlite.SqliteConnection> work) => _file.Write(connection =>
    {
        work(connection);
        return true;
    });

    private (string? Predecessor, DateTimeOffset? StoppedAt) Ended() => (Read().Agent!.Predecessor, Read().Agent!.StoppedAt);

    private (string? Error, DateTimeOffset? RecoveredAt) Trouble() => (Read().Servers[0].LastError, Read().Servers[0].RecoveredAt);

    private SpoolOverview Read()
    {
        using SpoolReader reader = SpoolReader.Open(_spool.Path);
        return reader.ReadOverview();
    }
}
