using Quickq.Testing;

namespace Quickq.Spool.Tests.Append;

/// <summary>What a full spool refuses is counted, for those who look; a crowd that is refused costs the disk one commit a second.</summary>
public sealed class RefusedAddsTests : IDisposable
{
    private readonly TempSpool _spool = new();
    private readonly SetClock _clock = new();
    private readonly SpoolWriter _writer;

    public RefusedAddsTests() => _writer = SpoolWriter.Open(_spool.Path, _clock);

    [Fact]
    public void The_first_is_written_at_once_and_further_ones_after_a_second_or_with_the_next_message()
    {
        _writer.Append(new OutgoingMessage());
        Assert.Null(Overview().RefusedAt);
        _spool.Execute("UPDATE setting SET value = '1' WHERE name = 'maxSize'");

        Refuse(1);
        Assert.Equal((1, _clock.GetUtcNow()), (Overview().Refused, Overview().RefusedAt));
        Refuse(3);
        Assert.Equal(1, Overview().Refused);
        _clock.Seconds++;
        Refuse(2);
        Assert.Equal(6, Overview().Refused);
        Refuse(1);
        _spool.Execute("DELETE FROM setting WHERE name = 'maxSize'");
        _writer.Append(new OutgoingMessage());
        Assert.Equal(7, Overview().Refused);
    }

    [Fact]
    public void A_message_that_is_wrong_by_itself_is_not_counted()
    {
        _spool.Execute("INSERT INTO server (name) VALUES ('mq1'); UPDATE setting SET value = '3' WHERE name = 'maxMessageSize'");
        Assert.Throws<SpoolException>(() => _writer.Append(new OutgoingMessage { Servers = ["mq2"] }));
        Assert.Throws<SpoolException>(() => _writer.Append(new OutgoingMessage { Body = new byte[4] }));
        _writer.Append(new OutgoingMessage());

        Assert.Equal(0, Overview().Refused);
    }

    public void Dispose()
    {
        _writer.Dispose();
        _spool.Dispose();
    }

    private void Refuse(int messages) => Assert.Equal(
        SpoolFault.Full, Assert.Throws<SpoolException>(() => _writer.AppendMany([.. Enumerable.Range(0, messages).Select(_ => new OutgoingMessage())])).Fault);

    private sealed class SetClock : TimeProvider
    {
        public int Seconds { get; set; }

        public override long TimestampFrequency => 1;

        public override DateTimeOffset GetUtcNow() => new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero).AddSeconds(Seconds);

        public override long GetTimestamp() => Seconds;
    }

    private SpoolOverview Overview()
    {
        using SpoolReader reader = SpoolReader.Open(_spool.Path);
        return reader.ReadOverview();
    }
}
