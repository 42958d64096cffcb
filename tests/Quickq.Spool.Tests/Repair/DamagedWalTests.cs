using System.Globalization;
using Quickq.Testing;

namespace Quickq.Spool.Tests.Repair;

/// <summary>
/// SQLite reads a WAL up to its first bad frame and takes the rest for what a crash left. Committed transactions behind that frame are acknowledged messages: their loss
/// is seen, said, and as small as can be.
/// </summary>
public sealed class DamagedWalTests(ITestOutputHelper output) : IDisposable
{
    private const int Messages = 30, FrameBytes = 24 + 4096, HeaderBytes = 32;
    private readonly TempSpool _spool = new() { MustBeSound = false };

    public void Dispose() => _spool.Dispose();

    [Fact(Timeout = 600_000)]
    public void A_bit_in_each_frame_in_turn()
    {
        (byte[] main, byte[] wal) = Fill();
        int frames = (wal.Length - HeaderBytes) / FrameBytes, lost = 0, repaired = 0;
        for (int frame = 0; frame < frames; frame++)
        {
            int bit = Some.Number(0, (FrameBytes * 8) - 1);
            byte[] damaged = [.. wal];
            damaged[HeaderBytes + (frame * FrameBytes) + (bit / 8)] ^= (byte)(1 << (bit % 8));
            SpoolFiles.Replace(_spool, main, damaged);
            string where = $"seed {Some.Seed}, frame {frame + 1} of {frames}, byte {bit / 8}, bit {bit % 8}";
            int behind = Commits(wal, frame);
            bool told = SpoolCheck.Run(_spool.Path).Any(finding => finding.Level == CheckLevel.Damaged);
            if (behind < 3)
            {
                continue; // what a power cut may leave of the last transaction
            }

            Assert.True(told, $"{where}: {behind} commits from there on, and the check sees nothing");
            RepairReport? report = SpoolRepair.Run(_spool.Path);
            Assert.True(report is not null, where);
            repaired++;
            AssertTold(report, where);
            lost += (int)report.MessagesLost;
            Assert.True(report.MessagesSaved >= Messages - 1, $"{where}: {report.MessagesSaved} of {Messages} saved");
            Assert.Equal(damaged, File.ReadAllBytes(report.Aside + "-wal"));
        }

        output.WriteLine($"{repaired} of {frames} frames: {lost} messages lost in all");
        Assert.True(repaired > Messages);
    }

    [Theory(Timeout = 600_000)]
    [InlineData(0)]
    [InlineData(9)]
    [InlineData(18)]
    [InlineData(27)]
    public void A_bit_in_the_header_loses_nothing(int at)
    {
        (byte[] main, byte[] wal) = Fill();
        wal[at] ^= 4;
        SpoolFiles.Replace(_spool, main, wal);

        Assert.Contains(SpoolCheck.Run(_spool.Path), finding => finding.Level == CheckLevel.Damaged);
        RepairReport report = SpoolRepair.Run(_spool.Path)!;

        Assert.Equal((Messages, 0L, true), (report.MessagesSaved, report.MessagesLost, report.LostIsExact));
        AssertTold(report, $"byte {at}");
    }

    /// <summary>A writer that is alone would write over the frames behind the bad one, and give their sequence numbers out again.</summary>
    [Fact(Timeout = 600_000)]
    public void Who_is_alone_does_not_write_over_what_was_acknowledged()
    {
        (byte[] main, byte[] wal) = Fill();
        wal[HeaderBytes + (20 * FrameBytes) + 2000] ^= 1;
        SpoolFiles.Replace(_spool, main, wal);
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);

        SpoolException refusal = Assert.Throws<SpoolException>(() => writer.Append(new OutgoingMessage { Id = "next" }));

        Assert.Equal(SpoolFault.Damaged, refusal.Fault);
        Assert.Contains("WAL", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("quickq-spool check --repair", refusal.Hint, StringComparison.Ordinal);
        Assert.Equal(wal, File.ReadAllBytes(_spool.Path + "-wal"));
        Assert.NotNull(SpoolRepair.Run(_spool.Path));
        writer.Append(new OutgoingMessage { Id = "next" });
        Assert.Equal(1, _spool.Value<int>("SELECT count(*) FROM message WHERE id = 'next'"));
    }

    /// <summary>The last transaction, cut anywhere: it was never acknowledged, and nothing is wrong.</summary>
    [Fact(Timeout = 600_000)]
    public void A_last_transaction_that_a_power_cut_tore_is_no_damage()
    {
        (byte[] main, byte[] wal) = Fill();
        int frames = (wal.Length - HeaderBytes) / FrameBytes;
        int first = frames - 1;
        while (Commits(wal, first - 1) < 2)
        {
            first--;
        }

        for (int frame = first; frame < frames; frame++)
        {
            byte[] torn = [.. wal];
            torn.AsSpan(HeaderBytes + (frame * FrameBytes), 512).Clear();
            SpoolFiles.Replace(_spool, main, torn);

            Assert.DoesNotContain(SpoolCheck.Run(_spool.Path), finding => finding.Level == CheckLevel.Damaged);
            using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
            writer.Append(new OutgoingMessage { Id = "next" });
            Assert.Equal(Messages, _spool.Value<int>("SELECT count(*) FROM message"));
        }
    }

    /// <summary>A WAL that was begun anew over a longer one: the frames behind are of another time, by their salts.</summary>
    [Fact(Timeout = 600_000)]
    public void What_an_earlier_time_left_behind_is_no_damage()
    {
        (byte[] main, byte[] wal) = Fill();
        SpoolFiles.Replace(_spool, main, wal);
        using (SpoolFile file = SpoolFile.OpenForWriting(_spool.Path, create: false))
        {
            file.UnderLock(connection => connection.Execute("PRAGMA wal_checkpoint(RESTART)"));
            file.Write(connection => connection.Execute("INSERT INTO message (id, body) VALUES ('restarted', x'')"));
            Assert.True(new FileInfo(_spool.Path + "-wal").Length == wal.Length);
        }

        Assert.DoesNotContain(SpoolCheck.Run(_spool.Path), finding => finding.Level == CheckLevel.Damaged);
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        writer.Append(new OutgoingMessage());
    }

    private void AssertTold(RepairReport report, string where)
    {
        Assert.DoesNotContain(SpoolCheck.Run(_spool.Path), finding => finding.Level == CheckLevel.Damaged);
        int there = _spool.Value<int>("SELECT count(*) FROM message");
        Assert.True(report.MessagesSaved == there, $"{where}: {report.MessagesSaved} said to be saved, {there} are there");
        Assert.True(report.LostIsExact ? there + report.MessagesLost == Messages : there + report.MessagesLost <= Messages,
            $"{where}: {there} are there, {report.MessagesLost} said to be lost of {Messages}{(report.LostIsExact ? "" : ", at least")}");
        Assert.True(there == Messages || report.MessagesLost > 0, $"{where}: {Messages - there} are lost, and nothing is said of it");
        Assert.Equal(there, _spool.Value<int>("SELECT count(DISTINCT m.id) FROM message AS m JOIN delivery AS d ON d.message = m.seq"));
    }

    /// <summary>One transaction a message; everything of them is in the WAL.</summary>
    private (byte[] Main, byte[] Wal) Fill()
    {
        using (SpoolWriter maker = SpoolWriter.Open(_spool.Path))
        {
            _spool.Execute("INSERT INTO server (name) VALUES ('mq1')");
        }

        FilledSpool.Checkpoint(_spool);
        using (SpoolWriter writer = SpoolWriter.Open(_spool.Path))
        {
            for (int number = 0; number < Messages; number++)
            {
                writer.Append(new OutgoingMessage { Id = string.Create(CultureInfo.InvariantCulture, $"m-{number}"), Body = Some.Json(700) });
            }
        }

        return (File.ReadAllBytes(_spool.Path), File.ReadAllBytes(_spool.Path + "-wal"));
    }

    /// <summary>Commits from this frame on, counted from 0. A commit's frame says how many pages the database has then, at byte 4.</summary>
    private static int Commits(byte[] wal, int frame) =>
        Enumerable.Range(frame, ((wal.Length - HeaderBytes) / FrameBytes) - frame).Count(number => wal.AsSpan(HeaderBytes + (number * FrameBytes) + 4, 4).IndexOfAnyExcept((byte)0) >= 0);
}
