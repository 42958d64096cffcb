using Quickq.Testing;

namespace Quickq.Spool.Tests.Repair;

public sealed class RepairTests : IDisposable
{
    private const int Messages = 500;
    private readonly TempSpool _spool = new();

    public RepairTests() => FilledSpool.Fill(_spool, Messages);

    [Fact]
    public void A_sound_spool_is_left_as_it_is()
    {
        byte[] before = File.ReadAllBytes(_spool.Path);

        Assert.Null(SpoolRepair.Run(_spool.Path));

        Assert.Equal(before, File.ReadAllBytes(_spool.Path));
        Assert.Empty(Aside());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Every_row_comes_over_exactly_whether_it_is_in_the_file_or_in_the_log(bool inFile)
    {
        if (inFile)
        {
            FilledSpool.Checkpoint(_spool);
        }

        SpoolContent before = SpoolContent.Read(_spool.Path);
        _spool.Execute("UPDATE server SET held = held + 1 WHERE name = 'mq1'");

        RepairReport report = SpoolRepair.Run(_spool.Path)!;

        Assert.Equal((Messages, 0, true, 2 * Messages, 0), (report.MessagesSaved, report.MessagesLost, report.LostIsExact, report.DeliveriesSaved, report.DeliveriesReset));
        SpoolContent after = SpoolContent.Read(_spool.Path);
        Assert.Equal(before.Messages, after.Messages);
        Assert.Equal(before.Deliveries, after.Deliveries);
        Assert.Equal(["gone 0", "mq1 1", "mq2 1"], _spool.Query<string>("SELECT name || ' ' || active FROM server ORDER BY name"));
        Assert.Equal(["himawari"], _spool.Query<string>("SELECT exchange FROM suspension"));
        Assert.True(_spool.Value<long>("SELECT delivered FROM server WHERE name = 'mq2'") > 100_000);
        AssertSound();
    }

    [Fact]
    public void Sequence_numbers_go_on_behind_the_highest_ever_given_out()
    {
        long last = _spool.Value<long>("SELECT seq FROM sqlite_sequence WHERE name = 'message'");
        _spool.Execute("UPDATE server SET held = 99");

        SpoolRepair.Run(_spool.Path);
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        string id = writer.Append(new OutgoingMessage());

        Assert.Equal(last + 1, _spool.Value<long>("SELECT seq FROM message WHERE id = @id", new { id }));
        Assert.Equal(2, _spool.Value<int>("SELECT count(*) FROM delivery WHERE message = @seq", new { seq = last + 1 }));
        AssertSound();
    }

    [Fact]
    public void The_damaged_files_are_kept_together_and_open_as_the_spool_that_they_were()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        writer.Append(new OutgoingMessage { Id = "in-the-log" });
        _spool.Execute("UPDATE server SET held = 99");
        SpoolContent before = SpoolContent.Read(_spool.Path);

        RepairReport report = SpoolRepair.Run(_spool.Path)!;

        Assert.True(new FileInfo(report.Aside + "-wal").Length > 0);
        Assert.Equal(before.Messages, SpoolContent.Read(report.Aside).Messages);
    }

    [Fact]
    public void A_writer_that_has_the_damaged_spool_open_writes_into_the_fresh_one()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        writer.Append(new OutgoingMessage { Id = "before" });
        _spool.Execute("UPDATE server SET held = 99");

        RepairReport report = SpoolRepair.Run(_spool.Path)!;
        writer.Append(new OutgoingMessage { Id = "after" });

        Assert.Equal(["after", "before"], _spool.Query<string>("SELECT id FROM message WHERE id IN ('before', 'after') ORDER BY id"));
        Assert.DoesNotContain("after", SpoolContent.Read(report.Aside).Messages.Values.Select(text => text.Split('|')[0]), StringComparer.Ordinal);
        AssertSound();
    }

    [Fact]
    public void A_reader_that_has_the_damaged_spool_open_sees_the_fresh_one()
    {
        using SpoolReader reader = SpoolReader.Open(_spool.Path);
        Assert.NotNull(reader.ReadStatus("m-1"));
        _spool.Execute("UPDATE server SET held = 99");
        SpoolRepair.Run(_spool.Path);
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        writer.Append(new OutgoingMessage { Id = "after" });

        Assert.NotNull(reader.ReadStatus("after"));
    }

    [Theory]
    [InlineData("message")]
    [InlineData("delivery")]
    [InlineData("server")]
    [InlineData("unassigned")]
    [InlineData("sqlite_sequence")]
    [InlineData("tally")]
    [InlineData("setting")]
    public void A_table_whose_first_page_is_gone_costs_as_little_as_possible(string table)
    {
        FilledSpool.Checkpoint(_spool);
        SpoolContent before = SpoolContent.Read(_spool.Path);
        long root = _spool.Value<long>("SELECT rootpage FROM sqlite_master WHERE name = @table", new { table });
        Overwrite(root, new byte[4096]);

        RepairReport report = SpoolRepair.Run(_spool.Path)!;

        SpoolContent after = SpoolContent.Read(_spool.Path);
        Assert.Equal((Messages, 0), (report.MessagesSaved, report.MessagesLost));
        Assert.Equal(before.Messages, after.Messages);
        if (table is "server")
        {
            // Nobody knows the servers' names any more: what is settled stays, the rest goes to the servers that the agent makes known.
            Assert.Equal(
                before.Messages.Keys.Where(seq => before.Deliveries.Any(row => row.Key.Message == seq && !row.Value.StartsWith("delivered", StringComparison.Ordinal))).Order(),
                _spool.Query<long>("SELECT message FROM unassigned ORDER BY message"));
            Assert.Equal(["lost-1 0", "lost-2 0"], _spool.Query<string>("SELECT name || ' ' || active FROM server ORDER BY name"));
        }
        else
        {
            // The pages between root and leaves hold rows too, in a table without row ids: those are gone and sent again.
            Assert.Equal(before.Deliveries.Keys.Order(), after.Deliveries.Keys.Order());
            var reset = before.Deliveries.Where(row => !string.Equals(after.Deliveries[row.Key], row.Value, StringComparison.Ordinal)).ToList();
            Assert.All(reset, row => Assert.StartsWith("pending|0", after.Deliveries[row.Key], StringComparison.Ordinal));
            Assert.InRange(reset.Count, 0, report.DeliveriesReset);
            Assert.Equal(2 * Messages, report.DeliveriesSaved + report.DeliveriesReset);
        }

        AssertSound();
    }

    [Fact]
    public void A_header_that_SQLite_cannot_read_is_repaired_as_long_as_it_names_a_spool()
    {
        FilledSpool.Checkpoint(_spool);
        SpoolContent before = SpoolContent.Read(_spool.Path);
        using (FileStream file = File.OpenWrite(_spool.Path))
        {
            file.Write("garbage!"u8);
        }

        RepairReport report = SpoolRepair.Run(_spool.Path)!;

        Assert.Equal((Messages, 0, true), (report.MessagesSaved, report.MessagesLost, report.LostIsExact));
        Assert.Equal(before.Messages, SpoolContent.Read(_spool.Path).Messages);
        AssertSound();
    }

    [Fact]
    public void A_bit_flipped_in_what_says_that_it_is_a_spool_is_repaired_as_the_tables_say_it_too()
    {
        SpoolContent before = SpoolContent.Read(_spool.Path);
        _spool.Execute("PRAGMA application_id=0x51515351");
        Assert.Contains(SpoolCheck.Run(_spool.Path), finding => finding.Level == CheckLevel.Damaged);

        RepairReport report = SpoolRepair.Run(_spool.Path)!;

        Assert.Equal((Messages, 0, true), (report.MessagesSaved, report.MessagesLost, report.LostIsExact));
        Assert.Equal(before.Messages, SpoolContent.Read(_spool.Path).Messages);
        AssertSound();
    }

    [Fact]
    public void A_file_that_is_not_a_spool_is_never_touched()
    {
        string path = _spool.File("other.db");
        File.WriteAllBytes(path, [.. "SQLite format 3\0"u8, .. Some.Bytes(9_000)]);
        byte[] before = File.ReadAllBytes(path);

        Assert.Equal(SpoolFault.NotASpool, Assert.Throws<SpoolException>(() => SpoolRepair.Run(path)).Fault);
        Assert.Equal(SpoolFault.NotFound, Assert.Throws<SpoolException>(() => SpoolRepair.Run(_spool.File("none.db"))).Fault);

        Assert.Equal(before, File.ReadAllBytes(path));
        Assert.Equal(["other.db"], Directory.GetFiles(_spool.Folder, "other.db*").Select(Path.GetFileName).Where(name => !name!.EndsWith(".lock", StringComparison.Ordinal)));
    }

    [Fact]
    public void What_was_removed_does_not_come_back_from_pages_that_were_freed()
    {
        _spool.Execute("PRAGMA foreign_keys=OFF; DELETE FROM message WHERE seq % 50 > 2; DELETE FROM delivery WHERE message NOT IN (SELECT seq FROM message)");
        _spool.Execute("UPDATE tally SET value = (SELECT seq FROM sqlite_sequence) - (SELECT count(*) FROM message) WHERE name = 'removed'");
        FilledSpool.Checkpoint(_spool);
        SpoolContent before = SpoolContent.Read(_spool.Path);
        Assert.True(_spool.Value<long>("PRAGMA freelist_count") > 20);
        Overwrite(_spool.Value<long>("SELECT rootpage FROM sqlite_master WHERE name = 'message'"), new byte[4096]);

        RepairReport report = SpoolRepair.Run(_spool.Path)!;

        Assert.Equal((before.Messages.Count, 0), (report.MessagesSaved, report.MessagesLost));
        Assert.Equal(before.Messages, SpoolContent.Read(_spool.Path).Messages);
        AssertSound();
    }

    [Theory]
    [InlineData("repair")]
    [InlineData("append")]
    [InlineData("read")]
    public void A_repair_that_was_interrupted_in_the_exchange_is_undone_by_whoever_comes_next(string next)
    {
        // Everything is in the log: without it the file is a sound spool with nothing in it.
        SpoolContent before = SpoolContent.Read(_spool.Path);
        string aside = _spool.Path + ".damaged-20260101T000000Z";
        File.WriteAllText(_spool.Path + ".repair", "");
        Assert.Equal(0, global::Quickq.Spool.Files.Libc.Link(_spool.Path, aside));
        File.Move(_spool.Path + "-wal", aside + "-wal");
        File.Delete(_spool.Path + "-shm");
        if (next is "repair")
        {
            Assert.Null(SpoolRepair.Run(_spool.Path));
        }
        else if (next is "append")
        {
            using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
            Assert.Equal("m-1", writer.Append(new OutgoingMessage { Id = "m-1", Exchange = _spool.Value<string?>("SELECT exchange FROM message WHERE id = 'm-1'"), RoutingKey = _spool.Value<string>("SELECT routing_key FROM message WHERE id = 'm-1'"), Properties = MessageProperties.FromJson(_spool.Value<string>("SELECT properties FROM message WHERE id = 'm-1'")), Body = _spool.Value<byte[]>("SELECT body FROM message WHERE id = 'm-1'") }));
        }
        else
        {
            using SpoolReader reader = SpoolReader.Open(_spool.Path);
            Assert.NotNull(reader.ReadStatus("m-1"));
        }

        Assert.Equal(before.Messages, SpoolContent.Read(_spool.Path).Messages);
        Assert.Equal(before.Deliveries, SpoolContent.Read(_spool.Path).Deliveries);
        Assert.Empty(Aside());
        Assert.False(File.Exists(_spool.Path + ".repair"));
        AssertSound();
    }

    public void Dispose() => _spool.Dispose();

    private string[] Aside() => Directory.GetFiles(_spool.Folder, "*.damaged-*");

    private void Overwrite(long page, byte[] content)
    {
        using FileStream file = File.OpenWrite(_spool.Path);
        file.Position = (page - 1) * content.Length;
        file.Write(content);
    }

    private void AssertSound()
    {
        Assert.DoesNotContain(SpoolCheck.Run(_spool.Path), finding => finding.Level == CheckLevel.Damaged);
        Assert.Empty(Directory.GetFiles(_spool.Folder, "*.new.*"));
    }
}
