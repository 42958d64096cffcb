using Quickq.Spool.Upkeep;
using Quickq.Testing;

namespace Quickq.Spool.Tests.Upkeep;

/// <summary>What one step of upkeep does under the lock, by counts: so many messages, bytes and pages at most, however large the spool is. The times: <c>tests/bench/run.sh holds</c>.</summary>
public sealed class BoundedStepTests : IDisposable
{
    private const long LogOfAStep = 12 << 20;
    private readonly TempSpool _spool = new();

    [Theory]
    [InlineData(2_000, 1_000)]
    [InlineData(6_000, 1_000)]
    [InlineData(40, 1_000_000)]
    public void No_step_removes_more_than_its_share_or_writes_a_log_that_grows_with_the_spool(int messages, int bytes)
    {
        Fill(messages, bytes);
        using var file = SpoolFile.OpenForWriting(_spool.Path, create: false, durable: false);
        int removed = 0;

        for (long after = 0; removed < messages;)
        {
            ReapPage page = file.Read(connection => SettledMessageReaper.FindSome(connection, after, settledBefore: long.MaxValue));
            file.UnderLock(Checkpointer.Run_NeedsLock);
            ReapStep step = file.Write(connection => SettledMessageReaper.Remove_NeedsTransaction(connection, page.Messages));

            Assert.InRange(page.Messages.Count, 1, SettledMessageReaper.StepSize);
            Assert.InRange(page.Messages.Count * (long)bytes, 1, SettledMessageReaper.StepBytes + bytes);
            Assert.InRange(step.Removed, 1, page.Messages.Count);
            Assert.InRange(new FileInfo(_spool.Path + "-wal").Length, 0, LogOfAStep);
            removed += step.Removed;
            after = page.Messages[step.Done - 1];
        }

        Assert.Equal(messages, removed);
    }

    [Theory]
    [InlineData(24)]
    [InlineData(72)]
    public void No_step_gives_back_more_pages_than_its_share(int mebibytes)
    {
        Fill(mebibytes, 1 << 20);
        _spool.Execute("DELETE FROM delivery; DELETE FROM message WHERE seq < (SELECT max(seq) FROM message)");
        using var file = SpoolFile.OpenForWriting(_spool.Path, create: false, durable: false);
        long FreePages() => file.Read(connection => connection.ReadNumber("PRAGMA freelist_count"));
        Assert.InRange(FreePages(), (mebibytes - 1) * 256, long.MaxValue);

        for (long before = FreePages(), left = before; left > 0; before = left)
        {
            left = file.Write(SettledMessageReaper.GiveBackSomePages_NeedsTransaction);

            Assert.InRange(before - left, 1, SettledMessageReaper.VacuumStepPages + 32);
        }

        Assert.InRange(file.Read(connection => connection.ReadNumber("PRAGMA page_count")), 1, 300);
    }

    public void Dispose() => _spool.Dispose();

    private void Fill(int messages, int bytes)
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        _spool.Execute("INSERT INTO server (name) VALUES ('mq1')");
        byte[] body = Some.Bytes(bytes);
        writer.AppendMany([.. Enumerable.Range(0, messages).Select(_ => new OutgoingMessage { Body = body })]);
        _spool.Execute("UPDATE delivery SET state = 'delivered', settled_at = 1; UPDATE server SET delivered = pending, pending = 0");
    }
}
