using Microsoft.Data.Sqlite;
using Quickq.Spool.Repair;
using Quickq.Spool.Schema;
using Quickq.Testing;
using SQLitePCL;

namespace Quickq.Spool.Tests.Schema;

/// <summary>A spool of format 1 becomes one of format 2: whole or not at all, every state kept, while programs have it open.</summary>
public sealed class UpgradeTests : IDisposable
{
    private readonly TempSpool _spool = new();

    private static int Many => Environment.GetEnvironmentVariable("QUICKQ_LONG") is { Length: > 0 } ? 5_000_000 : 200_000;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Every_row_is_as_it_was_and_the_counters_agree(bool isEmpty)
    {
        OldSpool.Create(_spool);
        if (!isEmpty)
        {
            OldSpool.Fill(_spool, pending: 1_000);
        }

        IReadOnlyList<string> before = OldSpool.ContentOf(_spool);
        Assert.Equal((1, 2), SpoolUpgrade.Run(_spool.Path));

        Assert.Equal(before, OldSpool.ContentOf(_spool));
        Assert.Equal(2, _spool.Value<int>("PRAGMA user_version"));
        Assert.Equal(["2", "1"], _spool.Query<string>("SELECT value FROM setting WHERE name IN ('format', 'oldestWriter') ORDER BY name"));
        RequireSound();
        Assert.Equal((2, 2), SpoolUpgrade.Run(_spool.Path));
    }

    [Fact]
    public void An_upgraded_spool_has_the_schema_of_a_fresh_one_and_its_trees_at_the_same_pages()
    {
        OldSpool.Create(_spool);
        OldSpool.Fill(_spool, pending: 20_000);
        SpoolUpgrade.Run(_spool.Path);
        using var fresh = new TempSpool();
        SpoolWriter.Open(fresh.Path).Dispose();

        const string schema = "SELECT type || name || tbl_name || rootpage || coalesce(sql, '') FROM sqlite_master ORDER BY type, name";
        Assert.Equal(fresh.Query<string>(schema), _spool.Query<string>(schema));
    }

    [Fact]
    public void No_row_is_rewritten_however_many_there_are()
    {
        OldSpool.Create(_spool);
        OldSpool.Fill(_spool, pending: Many);
        using (SqliteConnection connection = SpoolConnection.Connect(_spool.Path))
        {
            connection.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
        }

        SpoolUpgrade.Run(_spool.Path);

        // Pages of the log: the schema, the new tables, and what had to make room for them.
        Assert.InRange(new FileInfo(_spool.Path + "-wal").Length, 1, 64 * 4120);
        Assert.Equal(Many + 20, _spool.Value<int>("SELECT pending FROM server WHERE name = 'mq2'"));
    }

    [Fact]
    public void Broken_off_at_any_step_it_is_not_done_at_all()
    {
        OldSpool.Create(_spool);
        OldSpool.Fill(_spool, pending: 100);
        IReadOnlyList<string> before = OldSpool.ContentOf(_spool);
        int brokenOff = 0;
        for (int step = 1; UpgradeUpTo(step, before); step += Math.Max(1, step / 12))
        {
            brokenOff++;
        }

        Assert.InRange(brokenOff, 20, int.MaxValue);
        Assert.Equal(2, _spool.Value<int>("PRAGMA user_version"));
        Assert.Equal(before, OldSpool.ContentOf(_spool));
        RequireSound();
    }

    [Fact]
    public void A_program_of_the_older_format_that_has_it_open_goes_on_adding()
    {
        OldSpool.Create(_spool);
        OldSpool.Fill(_spool, pending: 10);
        using SqliteConnection old = SpoolConnection.Connect(_spool.Path);
        OldSpool.Add(old, 1);
        SpoolUpgrade.Run(_spool.Path);
        _spool.Execute("INSERT INTO server_exchange (server, exchange) VALUES (2, 'himawari')");

        // What 0.1.0 looks at in each transaction, before it writes.
        Assert.Equal(old.ReadNumber("PRAGMA user_version"), old.ReadNumber("SELECT CAST(value AS INTEGER) FROM setting WHERE name = 'format'"));
        Assert.InRange(old.ReadNumber("SELECT CAST(value AS INTEGER) FROM setting WHERE name = 'oldestWriter'"), 1, 1);
        OldSpool.Add(old, 4);

        Assert.Equal([35, 33], _spool.Query<int>("SELECT count(*) FROM delivery GROUP BY server ORDER BY server"));
        RequireSound();
    }

    [Fact]
    public void A_writer_that_opened_it_before_writes_the_new_format_after_somebody_put_an_older_spool_there()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        writer.Append(new OutgoingMessage());
        using var older = new TempSpool();
        OldSpool.Create(older);
        OldSpool.Fill(older, pending: 1);
        File.Move(older.Path, _spool.Path, overwrite: true);
        File.Delete(_spool.Path + "-wal");
        File.Delete(_spool.Path + "-shm");

        writer.Append(new OutgoingMessage { Id = "named", Servers = ["mq1"] });

        Assert.Equal([1], _spool.Query<int>("SELECT server FROM delivery JOIN message ON seq = message WHERE id = 'named'"));
    }

    [Fact]
    public void What_is_damaged_is_not_upgraded_but_repaired()
    {
        OldSpool.Create(_spool);
        OldSpool.Fill(_spool, pending: 100);
        IReadOnlyList<string> before = OldSpool.ContentOf(_spool);
        _spool.Execute("CREATE TRIGGER odd AFTER INSERT ON message BEGIN DELETE FROM delivery; END");

        Assert.Equal(SpoolFault.Damaged, Assert.Throws<SpoolException>(() => SpoolUpgrade.Run(_spool.Path)).Fault);
        Assert.Equal(1, _spool.Value<int>("PRAGMA user_version"));
        _spool.MustBeSound = false;
        RepairReport report = SpoolRepair.Run(_spool.Path)!;

        Assert.Equal((123, 0), (report.MessagesSaved, report.MessagesLost));
        Assert.Equal(2, _spool.Value<int>("PRAGMA user_version"));
        Assert.Equal(before, OldSpool.ContentOf(_spool));
        RequireSound();
    }

    [Fact]
    public void Looking_at_an_older_spool_raises_it_too()
    {
        OldSpool.Create(_spool);
        OldSpool.Fill(_spool, pending: 1);

        using SpoolReader reader = SpoolReader.Open(_spool.Path);

        Assert.Equal(3, reader.ReadOverview().Unassigned);
        Assert.Equal(2, _spool.Value<int>("PRAGMA user_version"));
    }

    public void Dispose() => _spool.Dispose();

    /// <summary>Upgrades for so many steps of SQLite's, then looks at what a power cut would have left. False when it was done before.</summary>
    private bool UpgradeUpTo(int steps, IReadOnlyList<string> before)
    {
        using SqliteConnection connection = SpoolConnection.Connect(_spool.Path);
        int left = steps;
        delegate_progress count = _ => --left <= 0 ? 1 : 0;
        connection.Execute("BEGIN IMMEDIATE");
        raw.sqlite3_progress_handler(connection.Handle!, 1, count, null);
        try
        {
            SpoolSchema.Upgrade_NeedsTransaction(connection);
            connection.Execute("COMMIT");
            return false;
        }
        catch (SqliteException interrupted) when (interrupted.SqliteErrorCode == raw.SQLITE_INTERRUPT)
        {
            raw.sqlite3_progress_handler(connection.Handle!, 0, null, null);
            using var copy = new TempSpool();
            File.Copy(_spool.Path, copy.Path);
            File.Copy(_spool.Path + "-wal", copy.Path + "-wal");
            Assert.Equal(1, copy.Value<int>("PRAGMA user_version"));
            Assert.Equal(before, OldSpool.ContentOf(copy));
            return true;
        }
        finally
        {
            raw.sqlite3_progress_handler(connection.Handle!, 0, null, null);
            GC.KeepAlive(count);
        }
    }

    private void RequireSound() =>
        Assert.DoesNotContain(SpoolCheck.Run(_spool.Path), finding => finding.Level == CheckLevel.Damaged);
}
