using Microsoft.Data.Sqlite;
using Quickq.Spool.Schema;
using Quickq.Testing;

namespace Quickq.Spool.Tests;

public sealed class OpeningTests : IDisposable
{
    private readonly TempSpool _spool = new() { MustBeSound = false };

    [Fact]
    public void A_new_spool_is_in_wal_mode_and_the_owners_alone_whatever_the_umask()
    {
        using (SpoolWriter.Open(_spool.Path))
        {
            Assert.Equal("wal", _spool.Value<string>("PRAGMA journal_mode"));
            Assert.Equal(SpoolSchema.ApplicationId, _spool.Value<int>("PRAGMA application_id"));
            Assert.Equal(2, _spool.Value<int>("PRAGMA auto_vacuum"));
            Assert.Equal(SpoolSchema.Format, _spool.Value<int>("PRAGMA user_version"));
        }

        const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        Assert.Equal(Owner, File.GetUnixFileMode(_spool.Path));
        Assert.Equal(Owner, File.GetUnixFileMode(_spool.File("spool.db.lock")));
        Assert.DoesNotContain(Directory.GetFiles(_spool.Folder), file => file.Contains(".new.", StringComparison.Ordinal));
    }

    [Fact]
    public void Each_writer_syncs_every_commit_and_never_checkpoints_by_itself()
    {
        using SpoolFile file = SpoolFile.OpenForWriting(_spool.Path, create: true);

        Assert.Equal(2, file.Connection.ReadNumber("PRAGMA synchronous"));
        Assert.Equal(0, file.Connection.ReadNumber("PRAGMA wal_autocheckpoint"));
        Assert.Equal(0, file.Connection.ReadNumber("PRAGMA trusted_schema"));
        Assert.Equal(1, file.Connection.ReadNumber("PRAGMA cell_size_check"));
        file.Connection.Execute("PRAGMA journal_mode=OFF");
        using SqliteCommand mode = file.Connection.Prepare("PRAGMA journal_mode");
        Assert.Equal("wal", mode.ExecuteScalar());
    }

    [Fact]
    public void An_empty_file_counts_as_none_for_a_reader_and_becomes_a_spool_for_a_writer()
    {
        File.WriteAllBytes(_spool.Path, []);

        Assert.Equal(SpoolFault.NotFound, Assert.Throws<SpoolException>(() => SpoolReader.Open(_spool.Path)).Fault);
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);

        Assert.NotEmpty(writer.Append(new OutgoingMessage()));
    }

    public static TheoryData<string> Foreign => ["text", "database"];

    [Fact]
    public void A_spool_whose_mode_forbids_its_owner_to_write_is_set_right_and_written()
    {
        using (SpoolWriter writer = SpoolWriter.Open(_spool.Path))
        {
            writer.Append(new OutgoingMessage());
        }

        File.SetUnixFileMode(_spool.Path, UnixFileMode.UserRead);
        using SpoolWriter again = SpoolWriter.Open(_spool.Path);
        again.Append(new OutgoingMessage());

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_spool.Path));
    }

    [Theory]
    [MemberData(nameof(Foreign))]
    public void A_file_that_is_not_a_spool_is_refused_and_left_as_it_is(string kind)
    {
        if (kind is "text")
        {
            File.WriteAllText(_spool.Path, string.Concat(Enumerable.Repeat("just text, and more than one page of it\n", 400)));
        }
        else
        {
            using var other = new SqliteConnection($"Data Source={_spool.Path};Pooling=False");
            other.Open();
            other.Execute("CREATE TABLE t (x)");
        }

        const UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        File.SetUnixFileMode(_spool.Path, mode);
        byte[] before = File.ReadAllBytes(_spool.Path);

        SpoolException refused = Assert.Throws<SpoolException>(() => SpoolWriter.Open(_spool.Path));
        Assert.Equal(refused.Message, Assert.Throws<SpoolException>(() => SpoolReader.Open(_spool.Path)).Message);
        Assert.Equal(mode, File.GetUnixFileMode(_spool.Path));
        Assert.Equal([_spool.Path], Directory.GetFiles(Path.GetDirectoryName(_spool.Path)!));

        Assert.Equal(SpoolFault.NotASpool, refused.Fault);
        Assert.Equal(before, File.ReadAllBytes(_spool.Path));
    }

    public static TheoryData<int, string?, string?, bool> Versions => new()
    {
        { 3, null, null, false },      // only the number was raised: not understood
        { 3, "3", "2", true },         // a newer format that says we may still write
        { 3, "3", "3", false },
        { 4, "3", "1", false },        // the two places disagree
        { 0, null, null, false },
    };

    [Theory]
    [MemberData(nameof(Versions))]
    public void A_newer_format_is_written_only_when_it_allows_this_program(int version, string? format, string? oldestWriter, bool allowed)
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        _spool.Execute($"PRAGMA user_version={version}");
        if (format is not null)
        {
            _spool.Execute($"UPDATE setting SET value = '{format}' WHERE name = 'format'; UPDATE setting SET value = '{oldestWriter}' WHERE name = 'oldestWriter'");
        }

        if (allowed)
        {
            Assert.NotEmpty(writer.Append(new OutgoingMessage()));
            return;
        }

        // A writer that was open before the upgrade sees it too.
        SpoolException refused = Assert.Throws<SpoolException>(() => writer.Append(new OutgoingMessage()));
        Assert.Equal(SpoolFault.NewerFormat, refused.Fault);
        Assert.Contains("export", refused.Hint, StringComparison.Ordinal);
        Assert.Equal(0, _spool.Value<int>("SELECT count(*) FROM message"));
    }

    [Fact]
    public void A_writer_notices_that_its_spool_was_moved_aside_and_writes_into_the_new_one()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        writer.Append(new OutgoingMessage { Id = "before" });
        Directory.CreateDirectory(_spool.File("aside"));
        foreach (string suffix in (string[])["", "-wal", "-shm"])
        {
            File.Move(_spool.Path + suffix, _spool.File("aside/spool.db" + suffix));
        }

        using (SpoolWriter.Open(_spool.Path))
        {
            writer.Append(new OutgoingMessage { Id = "after" });
        }

        Assert.Equal(["after"], _spool.Query<string>("SELECT id FROM message"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_log_of_a_spool_whose_file_was_removed_is_kept_whole_and_never_replayed_into_the_next(bool emptied)
    {
        using (SpoolWriter first = SpoolWriter.Open(_spool.Path))
        {
            first.Append(new OutgoingMessage { Id = "before" });
            Assert.Null(first.KeptLog);
        }

        byte[] sound = File.ReadAllBytes(_spool.Path), log = File.ReadAllBytes(_spool.Path + "-wal");
        File.Delete(_spool.Path);
        if (emptied)
        {
            File.WriteAllBytes(_spool.Path, []);
        }

        using SpoolWriter next = SpoolWriter.Open(_spool.Path);
        next.Append(new OutgoingMessage { Id = "after" });

        Assert.Equal(["after"], _spool.Query<string>("SELECT id FROM message"));
        Assert.Equal("ok", _spool.Value<string>("PRAGMA integrity_check"));
        Assert.Equal(log, File.ReadAllBytes(next.KeptLog!));
        CheckFinding told = Assert.Single(SpoolCheck.Run(_spool.Path), finding => finding.Check is "leftOver");
        Assert.Contains(next.KeptLog!, told.Text, StringComparison.Ordinal);

        // Beside its own file it is that file's log again, and nothing was lost.
        File.WriteAllBytes(next.KeptLog![..^"-wal".Length], sound);
        using SpoolReader old = SpoolReader.Open(next.KeptLog![..^"-wal".Length]);
        Assert.NotNull(old.ReadStatus("before"));
    }

    [Fact]
    public void A_missing_folder_is_named()
    {
        SpoolException refused = Assert.Throws<SpoolException>(() => SpoolWriter.Open(_spool.File("missing/spool.db")));

        Assert.Equal(SpoolFault.CannotCreate, refused.Fault);
        Assert.Contains("missing does not exist", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_symbolic_link_leads_to_the_lock_of_the_file_it_names()
    {
        using (SpoolWriter.Open(_spool.Path))
        {
            File.CreateSymbolicLink(_spool.File("link.db"), _spool.Path);
        }

        using SpoolWriter writer = SpoolWriter.Open(_spool.File("link.db"));
        writer.Append(new OutgoingMessage());

        Assert.False(File.Exists(_spool.File("link.db.lock")));
        Assert.Equal(1, _spool.Value<int>("SELECT count(*) FROM message"));
    }

    [Fact]
    public void Many_that_come_first_at_once_make_one_spool()
    {
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
        {
            using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
            writer.Append(new OutgoingMessage { Id = $"m{i}" });
        });

        Assert.Equal(8, _spool.Value<int>("SELECT count(*) FROM message"));
    }

    public void Dispose() => _spool.Dispose();
}
