using Quickq.Agent.Upkeep;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Agent.Tests.Upkeep;

public sealed class DeferredMessagesTests : IDisposable
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    private readonly TempSpool _spool = new();

    [Fact]
    public void What_is_due_becomes_pending_and_so_does_what_is_further_off_than_the_longest_back_off_because_the_clock_was_set_back()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        writer.Append(new OutgoingMessage { Id = "unassigned" });
        _spool.Execute("INSERT INTO server (name) VALUES ('mq1')");
        writer.AppendMany([.. Enumerable.Range(2, 4).Select(number => new OutgoingMessage { Id = $"m{number}" })]);
        foreach ((int message, double minutes) in new[] { (2, -0.01), (3, 4.9), (4, 5.1), (5, 1440.0) })
        {
            long at = SpoolTime.ToMicroseconds(Now.AddMinutes(minutes));
            _spool.Execute($"UPDATE delivery SET state = 'deferred', next_attempt_at = {at} WHERE message = {message}; UPDATE server SET pending = pending - 1, deferred = deferred + 1");
        }

        using SpoolFile file = SpoolFile.OpenForWriting(_spool.Path, create: false);
        UpkeepProgress progress = file.Write(connection => DeferredMessages.MakeDuePending_NeedsTransaction(connection, new StoppedClock()));

        Assert.Equal(UpkeepProgress.Later, progress);
        Assert.Equal([2, 4, 5], _spool.Query<int>("SELECT message FROM delivery WHERE state = 'pending' ORDER BY message"));
        Assert.Equal((3, 1, 2), _spool.Value<(int, int, int)>("SELECT pending, deferred, rewind FROM server"));
    }

    public void Dispose() => _spool.Dispose();

    private sealed class StoppedClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => Now;
    }
}
