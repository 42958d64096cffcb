using Quickq.Testing;

namespace Quickq.Spool.Tests.Repair;

/// <summary>
/// A write that the disk acknowledged and lost: one page is what it was before the last batch, sound in itself. Leaf or interior, table or index: what is readable is saved,
/// and the report says at least as much loss as there is.
/// </summary>
public sealed class StalePageTests(ITestOutputHelper output)
{
    private const int PageSize = 4096;
    private const int Messages = 300, Batch = 150;

    [Fact(Timeout = 600_000)]
    public void Every_page_that_the_last_batch_wrote_in_turn()
    {
        using var spool = new TempSpool { MustBeSound = false };
        byte[] before = Fill(spool, out byte[] after);
        SpoolContent all = SpoolContent.Read(spool.Path);
        Dictionary<int, string> owners = Owners(spool);
        int repaired = 0, lost = 0, reset = 0;
        for (int page = 1; page < before.Length / PageSize; page++)
        {
            ReadOnlySpan<byte> old = before.AsSpan(page * PageSize, PageSize);
            if (old.SequenceEqual(after.AsSpan(page * PageSize, PageSize)))
            {
                continue;
            }

            byte[] damaged = [.. after];
            old.CopyTo(damaged.AsSpan(page * PageSize));
            SpoolFiles.Replace(spool, damaged);
            string where = $"seed {Some.Seed}, page {page + 1} ({owners.GetValueOrDefault(page + 1, "no tree")})";

            bool isDamaged = SpoolCheck.Run(spool.Path).Any(finding => finding.Level == CheckLevel.Damaged);
            RepairReport? report = SpoolRepair.Run(spool.Path);
            Assert.True(isDamaged == report is not null, where);
            if (report is null)
            {
                continue;
            }

            repaired++;
            lost += (int)report.MessagesLost;
            reset += (int)report.DeliveriesReset;
            AssertTold(spool.Path, all, report, where);
        }

        output.WriteLine($"{repaired} repaired, {lost} messages lost, {reset} deliveries reset in all");
        Assert.True(repaired > 5, $"only {repaired} stale pages were seen");
    }

    /// <summary>The leaf pages are all there: only what led to them is older than they are.</summary>
    [Theory(Timeout = 600_000)]
    [InlineData("message")]
    [InlineData("delivery")]
    public void An_interior_page_that_is_stale_costs_next_to_nothing(string table)
    {
        using var spool = new TempSpool { MustBeSound = false };
        byte[] before = Fill(spool, out byte[] after);
        SpoolContent all = SpoolContent.Read(spool.Path);
        int root = (spool.Value<int>("SELECT rootpage FROM sqlite_master WHERE name = @table", new { table }) - 1) * PageSize;
        before.AsSpan(root, PageSize).CopyTo(after.AsSpan(root));
        SpoolFiles.Replace(spool, after);

        RepairReport report = SpoolRepair.Run(spool.Path)!;

        SpoolContent now = SpoolContent.Read(spool.Path);
        Assert.Equal((Messages + Batch, 0L, true), (report.MessagesSaved, report.MessagesLost, report.LostIsExact));
        Assert.Equal(all.Messages.OrderBy(row => row.Key), now.Messages.OrderBy(row => row.Key));

        // In a table without row ids an interior page holds rows itself: a few, each beside a leaf.
        int differing = all.Deliveries.Count(row => !now.Deliveries.TryGetValue(row.Key, out string? text) || !string.Equals(text, row.Value, StringComparison.Ordinal));
        Assert.InRange(differing, 0, table is "message" ? 0 : 20);
        Assert.True(report.DeliveriesReset >= differing && report.DeliveriesReset <= 2 * differing, $"{report}: {string.Join(" ", all.Deliveries.Where(row => !now.Deliveries.TryGetValue(row.Key, out string? text) || !string.Equals(text, row.Value, StringComparison.Ordinal)).Select(row => $"{row.Key}={now.Deliveries.GetValueOrDefault(row.Key)}"))}");
        AssertTold(spool.Path, all, report, table);
    }

    private static void AssertTold(string path, SpoolContent all, RepairReport report, string where)
    {
        Assert.DoesNotContain(SpoolCheck.Run(path), finding => finding.Level == CheckLevel.Damaged);
        SpoolContent now = SpoolContent.Read(path);
        Assert.True(report.MessagesSaved == now.Messages.Count, $"{where}: {report.MessagesSaved} said to be saved, {now.Messages.Count} are there");
        Assert.True(now.Messages.All(row => string.Equals(all.Messages[row.Key], row.Value, StringComparison.Ordinal)), $"{where}: a message differs");
        long gone = all.Messages.Count - now.Messages.Count;
        Assert.True(report.LostIsExact ? report.MessagesLost == gone : report.MessagesLost <= gone, $"{where}: {gone} are gone, {report.MessagesLost} said to be lost{(report.LostIsExact ? "" : ", at least")}");
        Assert.True(gone == 0 || report.MessagesLost > 0, $"{where}: {gone} are gone and nothing is said of it");
        List<KeyValuePair<(long Message, string Server), string>> rows = [.. all.Deliveries.Where(row => now.Messages.ContainsKey(row.Key.Message))];
        Assert.True(rows.All(row => now.Deliveries.ContainsKey(row.Key)), $"{where}: {rows.Count(row => !now.Deliveries.ContainsKey(row.Key))} deliveries are gone");
        int changed = rows.Count(row => !string.Equals(now.Deliveries[row.Key], row.Value, StringComparison.Ordinal));
        Assert.True(changed <= report.DeliveriesReset, $"{where}: {changed} deliveries are not what they were, {report.DeliveriesReset} said to be reset");
        Assert.True(report.DeliveriesSaved + report.DeliveriesReset >= rows.Count, $"{where}: {report.DeliveriesSaved} + {report.DeliveriesReset} of {rows.Count}");
    }

    /// <summary>A spool as it was before its last batch, and after it; each delivery of the batch is settled in it.</summary>
    private static byte[] Fill(TempSpool spool, out byte[] after)
    {
        using (SpoolWriter writer = SpoolWriter.Open(spool.Path))
        {
            spool.Execute("INSERT INTO server (name) VALUES ('mq1'), ('mq2')");
            Append(writer, 0, Messages);
        }

        spool.Execute("UPDATE delivery SET state = 'delivered', attempts = 1; UPDATE server SET delivered = pending, pending = 0");
        FilledSpool.Checkpoint(spool);
        byte[] before = File.ReadAllBytes(spool.Path);
        using (SpoolWriter writer = SpoolWriter.Open(spool.Path))
        {
            Append(writer, Messages, Batch);
        }

        spool.Execute("UPDATE delivery SET state = 'cancelled', reason = 'cancelled by an operator' WHERE state = 'pending'; UPDATE server SET cancelled = pending, pending = 0");
        FilledSpool.Checkpoint(spool);
        after = File.ReadAllBytes(spool.Path);
        return before;
    }

    private static void Append(SpoolWriter writer, int first, int count) =>
        writer.AppendMany([.. Enumerable.Range(first, count).Select(number => new OutgoingMessage { Id = $"m-{number:D4}", RoutingKey = "a.b", Body = Some.Json(600) })]);

    private static Dictionary<int, string> Owners(TempSpool spool) =>
        spool.Query<(int Page, string Name)>("SELECT rootpage, name FROM sqlite_master WHERE rootpage > 0").ToDictionary(row => row.Page, row => row.Name);
}
