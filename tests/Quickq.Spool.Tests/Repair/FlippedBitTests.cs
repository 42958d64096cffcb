using Quickq.Testing;

namespace Quickq.Spool.Tests.Repair;

/// <summary>One bit flipped in each page in turn: what SQLite can see is seen, the rest of the spool is saved, and the count is true.</summary>
public sealed class FlippedBitTests(ITestOutputHelper output)
{
    private const int Messages = 500;
    private const int PageSize = 4096;

    /// <summary>Every other flip goes where SQLite keeps its books: most of a page is contents, which it cannot judge.</summary>
    private const int PageHead = 24;

    [Fact(Timeout = 600_000)]
    public void Every_page_in_turn()
    {
        using var spool = new TempSpool { MustBeSound = false };
        FilledSpool.Fill(spool, Messages);
        FilledSpool.Checkpoint(spool);
        SpoolContent before = SpoolContent.Read(spool.Path);
        byte[] sound = File.ReadAllBytes(spool.Path);
        int seen = 0, unseen = 0, lost = 0, refused = 0, pages = sound.Length / PageSize;
        bool isLong = Environment.GetEnvironmentVariable("QUICKQ_LONG") is "1";
        for (int round = 0; round < (isLong ? 20 * pages : pages); round++)
        {
            int page = round % pages, bit = Some.Number(0, (round % 2 == 0 ? PageSize : PageHead) * 8 - 1);
            string where = $"seed {Some.Seed}, page {page + 1}, byte {bit / 8}, bit {bit % 8}";
            byte[] damaged = [.. sound];
            damaged[(page * PageSize) + (bit / 8)] ^= (byte)(1 << (bit % 8));
            SpoolFiles.Replace(spool, damaged);

            Outcome outcome = CheckAndRepair(spool.Path, out RepairReport? report);
            switch (outcome)
            {
                case Outcome.Refused:
                    // The bit says of which version the file is: a newer one must be left alone.
                    Assert.True(page == 0 && bit / 8 is >= 60 and < 64, where);
                    Assert.Equal(damaged, File.ReadAllBytes(spool.Path));
                    refused++;
                    continue;
                case Outcome.Sound:
                    unseen++;
                    break;
                default:
                    seen++;
                    lost += (int)report!.MessagesLost;
                    AssertTrue(report, spool.Path, where);
                    break;
            }

            AssertKept(before, SpoolContent.Read(spool.Path), report, where);
        }

        output.WriteLine($"seed {Some.Seed}: {seen + unseen + refused} flips in {pages} pages: {seen} seen and repaired, {unseen} not to be seen by SQLite (contents, unused bytes), {refused} in what names the file; {lost} messages lost in all");
        Assert.True(seen > 0);
    }

    [Fact(Timeout = 600_000)]
    public void A_message_whose_id_is_none_any_more_is_counted_as_lost()
    {
        using var spool = new TempSpool { MustBeSound = false };
        FilledSpool.Fill(spool, Messages);

        // What a flipped bit makes of the hyphen, in the table and in its index alike.
        spool.Execute("PRAGMA ignore_check_constraints = ON; UPDATE message SET id = replace(id, '-', '/') WHERE seq = 250");
        FilledSpool.Checkpoint(spool);

        Assert.Equal(Outcome.Repaired, CheckAndRepair(spool.Path, out RepairReport? report));
        Assert.Equal((Messages - 1, 1, true), (report!.MessagesSaved, report.MessagesLost, report.LostIsExact));
    }

    [Theory(Timeout = 600_000)]
    [InlineData("UPDATE setting SET value = NULL WHERE name = 'maxSize'")]
    [InlineData("UPDATE setting SET value = '10737418:40' WHERE name = 'maxSize'")]
    [InlineData("UPDATE server SET name = NULL WHERE name = 'mq1'")]
    public void A_value_that_a_bit_made_impossible_is_damage_and_no_fault_of_the_check(string flip)
    {
        using var spool = new TempSpool { MustBeSound = false };
        FilledSpool.Fill(spool, Messages);
        FilledSpool.ExecuteWithoutNotNull(spool, flip);
        FilledSpool.Checkpoint(spool);

        Assert.Equal(Outcome.Repaired, CheckAndRepair(spool.Path, out RepairReport? report));
        Assert.Equal((Messages, 0), (report!.MessagesSaved, report.MessagesLost));
    }

    [Theory(Timeout = 600_000)]
    [InlineData("message")]
    [InlineData("delivery")]
    public void A_page_that_leads_to_a_place_far_behind_loses_nothing_of_what_is_between(string table)
    {
        using var spool = new TempSpool { MustBeSound = false };
        FilledSpool.Fill(spool, Messages);
        FilledSpool.Checkpoint(spool);
        SpoolContent before = SpoolContent.Read(spool.Path);
        int root = (spool.Value<int>($"SELECT rootpage FROM sqlite_schema WHERE name = '{table}'") - 1) * PageSize;
        FilledSpool.Checkpoint(spool);
        byte[] bytes = File.ReadAllBytes(spool.Path);

        // The root's array of cells begins at byte 12, two bytes each (sqlite.org/fileformat2.html, 1.6); byte 3 says how many.
        int cells = bytes.AsSpan(root + 3, 2) is [var high, var low] ? (high * 256) + low : 0;
        Assert.True(cells >= 4, $"{cells} cells in the root of {table}");
        bytes.AsSpan(root + 12 + (2 * (cells - 2)), 2).CopyTo(bytes.AsSpan(root + 12 + 2, 2));
        SpoolFiles.Replace(spool, bytes);

        Assert.Equal(Outcome.Repaired, CheckAndRepair(spool.Path, out RepairReport? report));

        SpoolContent after = SpoolContent.Read(spool.Path);
        Assert.Equal(before.Messages.OrderBy(row => row.Key), after.Messages.OrderBy(row => row.Key));
        Assert.Equal((Messages, 0, true), (report!.MessagesSaved, report.MessagesLost, report.LostIsExact));
        Assert.Equal(before.Deliveries.Keys.Order(), after.Deliveries.Keys.Order());
    }

    private enum Outcome
    {
        Sound,
        Repaired,
        Refused,
    }

    private static Outcome CheckAndRepair(string path, out RepairReport? report)
    {
        report = null;
        try
        {
            bool damaged = SpoolCheck.Run(path).Any(finding => finding.Level == CheckLevel.Damaged);
            report = SpoolRepair.Run(path);
            Assert.Equal(damaged, report is not null);
            return damaged ? Outcome.Repaired : Outcome.Sound;
        }
        catch (SpoolException refused) when (refused.Fault is SpoolFault.NotASpool or SpoolFault.NewerFormat)
        {
            return Outcome.Refused;
        }
    }

    private static void AssertTrue(RepairReport report, string path, string where)
    {
        Assert.DoesNotContain(SpoolCheck.Run(path), finding => finding.Level == CheckLevel.Damaged);
        int there = SpoolContent.Read(path).Messages.Count;
        Assert.True(report.MessagesSaved == there, $"{where}: {report.MessagesSaved} said to be saved, {there} are there");
        Assert.True(
            report.LostIsExact ? there + report.MessagesLost == Messages : there + report.MessagesLost <= Messages,
            $"{where}: {there} are there, {report.MessagesLost} said to be lost of {Messages}");
    }

    /// <summary>Nothing but what stood on one page may be missing or differ, and nothing may be there that was not.</summary>
    private static void AssertKept(SpoolContent before, SpoolContent after, RepairReport? report, string where)
    {
        int most = PageSize / 40;
        Assert.True(after.Messages.Keys.All(before.Messages.ContainsKey), $"{where}: a message that never was");
        Assert.True(before.Messages.Count - after.Messages.Count <= most, $"{where}: {before.Messages.Count - after.Messages.Count} messages lost by one bit");

        // SQLite has no checksums: a bit within the contents of a message is not to be seen.
        Assert.True(after.Messages.Count(row => !string.Equals(before.Messages[row.Key], row.Value, StringComparison.Ordinal)) <= 1, $"{where}: several messages differ");
        (string Old, string New)? renamed = FindRenamedServer(before, after);
        var undelivered = before.Deliveries.Where(row => after.Messages.ContainsKey(row.Key.Message) && row.Value.StartsWith("pending", StringComparison.Ordinal)
            && !(after.Deliveries.TryGetValue(string.Equals(row.Key.Server, renamed?.Old, StringComparison.Ordinal) ? row.Key with { Server = renamed!.Value.New } : row.Key, out string? now) && now.StartsWith("pending", StringComparison.Ordinal))).ToList();
        Assert.True(undelivered.Count <= (report is null ? 1 : most * 4), $"{where}: {undelivered.Count} messages are no longer pending");
        Assert.True(report is null || undelivered.Count <= 1 || after.Deliveries.Keys.Any(row => row.Server.StartsWith("lost-", StringComparison.Ordinal)), $"{where}: {undelivered.Count} rows differ after the repair");
    }

    /// <summary>A bit within a server's name: nothing says what it was. The rows stay with it, and `status` shows a server that is not configured.</summary>
    private static (string Old, string New)? FindRenamedServer(SpoolContent before, SpoolContent after)
    {
        string[] old = [.. before.Deliveries.Keys.Select(row => row.Server).Distinct(StringComparer.Ordinal)], now = [.. after.Deliveries.Keys.Select(row => row.Server).Distinct(StringComparer.Ordinal)];
        return (old.Except(now, StringComparer.Ordinal).ToArray(), now.Except(old, StringComparer.Ordinal).ToArray()) is ([var gone], [var come])
            && gone.Length == come.Length && gone.Zip(come).Count(pair => pair.First != pair.Second) == 1
            ? (gone, come)
            : null;
    }
}
