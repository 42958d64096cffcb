using System.Globalization;
using Quickq.Testing;

namespace Quickq.Spool.Tests.Repair;

/// <summary>
/// Spools and WALs, damaged in every way that disks and hands have: whoever reads them ends with an answer or a <see cref="SpoolException"/>, and what the repair says is true.
/// QUICKQ_LONG=1 tries 2,000.
/// </summary>
public sealed class CorruptionTests(ITestOutputHelper output)
{
    private const int Messages = 400, PageSize = 4096;

    [Fact(Timeout = 3_600_000)]
    public void Whatever_happens_to_the_files_nobody_aborts_hangs_or_lies()
    {
        bool isLong = Environment.GetEnvironmentVariable("QUICKQ_LONG") is "1";
        using var spool = new TempSpool { MustBeSound = false };
        var shapes = new[] { Fill(spool, checkpointed: true), Fill(spool, checkpointed: false) };
        int sound = 0, repaired = 0, refused = 0, lost = 0, inexact = 0;
        for (int round = 0; round < (isLong ? 2000 : 60); round++)
        {
            Shape shape = shapes[round % 2];
            byte[] main = [.. shape.Main], wal = [.. shape.Wal];
            string where = $"seed {Some.Seed}, round {round}: {(wal.Length > 0 && Some.Number(0, 2) > 0 ? "WAL " + Damage(ref wal) : Damage(ref main))}";
            SpoolFiles.Replace(spool, main, wal.Length > 0 ? wal : null);
            Read(spool.Path, where);
            try
            {
                bool told = SpoolCheck.Run(spool.Path).Any(finding => finding.Level == CheckLevel.Damaged);
                RepairReport? report = SpoolRepair.Run(spool.Path);
                Assert.True(told == report is not null, $"{where}: the check {(told ? "" : "does not ")}say that it is damaged");
                if (report is null)
                {
                    sound++;
                    continue;
                }

                repaired++;
                lost += (int)report.MessagesLost;
                inexact += report.LostIsExact ? 0 : 1;
                AssertTold(spool.Path, shape.Content, report, where);
            }
            catch (SpoolException told) when (told.Fault is SpoolFault.NotASpool or SpoolFault.NewerFormat or SpoolFault.NotFound)
            {
                refused++;
            }
        }

        output.WriteLine($"seed {Some.Seed}: {repaired} repaired ({lost} messages lost, {inexact} times at least), {sound} sound as far as can be seen, {refused} no spools any more");
        Assert.True(repaired > sound);
    }

    private static void AssertTold(string path, SpoolContent all, RepairReport report, string where)
    {
        IReadOnlyList<string> left = [.. SpoolCheck.Run(path).Where(finding => finding.Level == CheckLevel.Damaged).Select(finding => finding.Text)];
        Assert.True(left.Count == 0, $"{where}: damaged after the repair: {string.Join("; ", left)}");
        SpoolContent now = SpoolContent.Read(path);
        Assert.True(report.MessagesSaved == now.Messages.Count, $"{where}: {report.MessagesSaved} said to be saved, {now.Messages.Count} are there");
        Assert.True(now.Messages.Keys.All(all.Messages.ContainsKey), $"{where}: a message that never was");
        long gone = all.Messages.Count - now.Messages.Count;
        Assert.True(report.LostIsExact ? report.MessagesLost == gone : report.MessagesLost <= gone,
            $"{where}: {gone} are gone, {(report.LostIsExact ? "" : "at least ")}{report.MessagesLost} said to be lost");

        // Whatever some server had not got is still on its way there: by a row, or because it will be given to every server.
        int undelivered = all.Deliveries.Count(row => now.Messages.ContainsKey(row.Key.Message) && row.Value.StartsWith("pending", StringComparison.Ordinal)
            && now.Deliveries.TryGetValue(row.Key, out string? text) && !text.StartsWith("pending", StringComparison.Ordinal));
        Assert.True(undelivered <= 1, $"{where}: {undelivered} pending deliveries are something else now");
    }

    private static void Read(string path, string where)
    {
        try
        {
            using SpoolReader reader = SpoolReader.Open(path);
            Try(() => reader.ReadOverview());
            Try(() => reader.List(new MessageFilter { Limit = 1000 }).Count());
            Try(() => reader.List(new MessageFilter { State = "pending", Limit = 1000 }).Count());
            Try(() => reader.Export(new MessageFilter { Limit = 1000 }, static (_, _) => { }).Count());
            Try(() => reader.ReadProgress(["m-1"]));
            Try(() => reader.ReadMessage("m-2"));
            Try(() => reader.ResolveIds("m"));
        }
        catch (SpoolException)
        {
            // It cannot be opened.
        }

        void Try<T>(Func<T> read)
        {
            try
            {
                _ = read();
            }
            catch (SpoolException)
            {
                // Told: that is all that can be asked for.
            }
            catch (Exception other)
            {
                throw new InvalidOperationException($"{where}: {other.GetType().Name}", other);
            }
        }
    }

    private static string Damage(ref byte[] bytes)
    {
        int at = Some.Number(0, bytes.Length - 1), page = at / PageSize * PageSize, length = Math.Min(PageSize, bytes.Length - page);
        int other = Some.Number(0, (bytes.Length / PageSize) - 1) * PageSize;
        switch (Some.Number(0, 9))
        {
            case 0:
                bytes[at] ^= (byte)(1 << Some.Number(0, 7));
                return Told($"a bit of byte {at}");
            case 1:
                for (int i = 0; i < 20; i++)
                {
                    bytes[Some.Number(0, bytes.Length - 1)] ^= (byte)(1 << Some.Number(0, 7));
                }

                return "20 bits";
            case 2:
                bytes.AsSpan(page, length).Clear();
                return Told($"zeros from byte {page}");
            case 3:
                Some.Bytes(length).CopyTo(bytes, page);
                return Told($"garbage from byte {page}");
            case 4:
                byte[] old = bytes[page..(page + length)];
                bytes.AsSpan(other, length).CopyTo(bytes.AsSpan(page));
                old.CopyTo(bytes, other);
                return Told($"pages at {page} and {other} changed places");
            case 5:
                bytes.AsSpan(other, length).CopyTo(bytes.AsSpan(page));
                return Told($"the page at {other} twice, at {page} too");
            case 6:
                int sector = at / 512 * 512;
                bytes.AsSpan(sector, Math.Min(512, bytes.Length - sector)).Clear();
                return Told($"a sector of zeros at byte {sector}");
            case 7:
                bytes = bytes[..at];
                return Told($"cut off at byte {at}");
            case 8:
                int shift = Some.Number(1, 100);
                bytes.AsSpan(page, length - shift).ToArray().CopyTo(bytes, page + shift);
                return Told($"the page at {page} moved by {shift} bytes");
            default:
                bytes[Some.Number(0, 99)] ^= (byte)(1 << Some.Number(0, 7));
                return "a bit of the header";
        }

        static string Told(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
    }

    private static Shape Fill(TempSpool spool, bool checkpointed)
    {
        foreach (string file in Directory.GetFiles(spool.Folder))
        {
            File.Delete(file);
        }

        FilledSpool.Fill(spool, checkpointed ? Messages : Messages / 2);
        FilledSpool.Checkpoint(spool);
        if (checkpointed)
        {
            return new Shape(File.ReadAllBytes(spool.Path), [], SpoolContent.Read(spool.Path));
        }

        using SpoolWriter writer = SpoolWriter.Open(spool.Path);
        for (int number = 0; number < Messages / 2; number++)
        {
            writer.Append(new OutgoingMessage { Id = string.Create(CultureInfo.InvariantCulture, $"w-{number}"), RoutingKey = "a.b", Body = Some.Json(700) });
        }

        return new Shape(File.ReadAllBytes(spool.Path), File.ReadAllBytes(spool.Path + "-wal"), SpoolContent.Read(spool.Path));
    }

    private sealed record Shape(byte[] Main, byte[] Wal, SpoolContent Content);
}
