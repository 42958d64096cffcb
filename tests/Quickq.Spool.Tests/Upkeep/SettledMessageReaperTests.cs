using Microsoft.Data.Sqlite;
using Quickq.Spool.Upkeep;
using Quickq.Testing;

namespace Quickq.Spool.Tests.Upkeep;

/// <summary>How the reaper finds what can go: by keys and indexes, a bounded page at a time.</summary>
public sealed class SettledMessageReaperTests : IDisposable
{
    private readonly TempSpool _spool = new();

    [Fact]
    public void Millions_that_wait_for_a_dead_server_are_passed_over_in_blocks_and_a_settled_one_among_them_is_found()
    {
        const int Waiting = 35_000, Settled = 25_017;
        Fill(Waiting);
        _spool.Execute($"UPDATE delivery SET state = 'delivered', settled_at = 1 WHERE message = {Settled}; UPDATE server SET pending = {Waiting - 1}");
        using var file = SpoolFile.OpenForReading(_spool.Path);

        var pages = new List<ReapPage>();
        for (long after = 0; pages.Count == 0 || !pages[^1].IsLast; after = pages[^1].Next)
        {
            pages.Add(file.Read(connection => SettledMessageReaper.FindSome(connection, after, settledBefore: long.MaxValue)));
        }

        Assert.Equal([Settled], pages.SelectMany(page => page.Messages));

        // Two blocks, the third page by page up to its end, a block no more after that; read page by page it would be 36.
        Assert.InRange(pages.Count, 2, 17);
    }

    [Fact]
    public void A_search_by_age_ends_where_messages_are_younger_and_tells_when_the_next_will_be_due()
    {
        Fill(5000);
        _spool.Execute("UPDATE delivery SET state = 'delivered', settled_at = 1000000 + message; UPDATE message SET created_at = seq; UPDATE server SET pending = 0");
        using var file = SpoolFile.OpenForReading(_spool.Path);

        ReapPage page = file.Read(connection => SettledMessageReaper.FindSome(connection, after: 0, settledBefore: 1, stopWhenYoung: true));

        Assert.Empty(page.Messages);
        Assert.True(page.IsLast);
        Assert.Equal(1_000_001, page.OldestLeft);
    }

    [Theory]
    [InlineData(SettledMessageReaper.SelectPage)]
    [InlineData(SettledMessageReaper.SelectBlock)]
    public void No_statement_of_the_search_reads_a_table_from_end_to_end(string sql)
    {
        Fill(10);
        using var file = SpoolFile.OpenForReading(_spool.Path);

        IReadOnlyList<string> plan = file.Read(connection => QueryPlan.Of(connection, sql));

        Assert.NotEmpty(plan);
        Assert.DoesNotContain(plan, step => step.StartsWith("SCAN", StringComparison.Ordinal) && !step.Equals("SCAN p", StringComparison.Ordinal));
        Assert.DoesNotContain(plan, step => step.Contains("TEMP B-TREE", StringComparison.Ordinal));
    }

    public void Dispose() => _spool.Dispose();

    private void Fill(int count)
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        _spool.Execute("INSERT INTO server (name) VALUES ('mq1')");
        writer.AppendMany([.. Enumerable.Range(1, count).Select(i => new OutgoingMessage { Id = $"m{i}" })]);
    }
}
