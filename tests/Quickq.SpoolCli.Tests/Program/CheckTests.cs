using Microsoft.Data.Sqlite;
using Quickq.Spool.Files;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary><c>check</c>: what is sound, what a person should look at, what is damaged.</summary>
public sealed class CheckTests : IDisposable
{
    private readonly TempSpool _spool = new();
    private readonly SpoolCommand _quickq;

    public CheckTests() => _quickq = new SpoolCommand(_spool);

    public void Dispose() => _spool.Dispose();

    [Fact(Timeout = 60_000)]
    public async Task A_sound_spool_has_nothing_but_good_findings()
    {
        await FillAsync();
        using var agent = AgentLock.TryTake(_spool.Path, out _);

        var json = (await _quickq.RunAsync("check", "--json")).MustSucceed().Stdout;

        Assert.Contains("\"damaged\":false,", json, StringComparison.Ordinal);
        foreach (var check in new[] { "readers", "sqlite", "fileSystem", "permissions", "integrity", "settings", "counters", "space", "agent" })
        {
            Assert.Contains($"{{\"check\":\"{check}\",\"level\":\"good\",", json, StringComparison.Ordinal);
        }
    }

    [Theory(Timeout = 60_000)]
    [InlineData("UPDATE server SET pending = pending + 2 WHERE name = 'mq2'", "pending at mq2: the counter says 4, the rows say 2")]
    [InlineData("UPDATE server SET held = 1 WHERE name = 'mq1'", "held at mq1: the counter says 1, the rows say 0")]
    [InlineData("UPDATE tally SET value = 5 WHERE name = 'unassigned'", "unassigned messages: the counter says 5, the rows say 0")]
    [InlineData("UPDATE tally SET value = 0 WHERE name = 'removed'", "messages: the counter says 3, the rows say 2")]
    [InlineData("PRAGMA foreign_keys=OFF; DELETE FROM message WHERE id = 'm1'", "2 deliveries without their message")]
    [InlineData("DELETE FROM delivery WHERE message = (SELECT seq FROM message WHERE id = 'm1')", "1 messages that no server would get")]
    public async Task Counters_that_do_not_match_the_rows_are_damage(string change, string says)
    {
        await FillAsync();
        _spool.Execute(change);

        var result = await _quickq.RunAsync("check");

        Assert.Equal(74, result.ExitCode);
        Assert.Contains($"counters     damaged  {says}", result.Stdout, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_damaged_file_is_told()
    {
        await FillAsync();
        (await Shell.RunAsync(_spool, "seq 2000 | \"$q\" add --lines > ids")).MustSucceed();
        _spool.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
        _spool.MustBeSound = false;
        (await Shell.RunAsync(_spool, "dd if=/dev/urandom of=\"$QUICKQ_SPOOL\" bs=4096 seek=40 count=5 conv=notrunc 2> dd")).MustSucceed();

        var result = await _quickq.RunAsync("check");

        Assert.Equal(74, result.ExitCode);
        Assert.Contains("integrity    damaged  ", result.Stdout, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task What_a_person_should_look_at_is_a_warning_and_no_failure()
    {
        await FillAsync();
        _spool.Execute("INSERT INTO setting VALUES ('minFreeDisk', '9000000000000000')");

        var result = (await _quickq.RunAsync("check")).MustSucceed();

        Assert.Contains("agent        warning  not running", result.Stdout, StringComparison.Ordinal);
        Assert.Contains("are kept: new messages are refused", result.Stdout, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_program_that_reads_without_a_pause_is_named_as_long_as_it_does()
    {
        await FillAsync();
        using var connection = new SqliteConnection($"Data Source={_spool.Path};Pooling=False");
        connection.Open();
        using (var transaction = connection.BeginTransaction(deferred: true))
        using (var read = connection.CreateCommand())
        {
            (read.Transaction, read.CommandText) = (transaction, "SELECT count(*) FROM message");
            Assert.Equal(2L, read.ExecuteScalar());
            var result = (await _quickq.RunAsync("check")).MustSucceed();
            Assert.Contains($"readers      warning  process {Environment.ProcessId} (", result.Stdout, StringComparison.Ordinal);
            Assert.Contains(") reads the spool without a pause: its write-ahead log grows until that ends", result.Stdout, StringComparison.Ordinal);
        }

        Assert.Contains("readers      good     no long-running reader blocks checkpoints", (await _quickq.RunAsync("check")).MustSucceed().Stdout, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task There_must_be_a_spool()
    {
        Assert.Equal(66, (await _quickq.RunAsync("check")).ExitCode);
        Assert.Equal(65, (await Shell.RunAsync(_spool, "echo 'not a database, and long enough to be looked at: ....................................................' > f; \"$q\" check --spool f")).ExitCode);
    }

    private async Task FillAsync()
    {
        await _spool.AddServersAsync("mq1", "mq2");
        (await _quickq.RunAsync("add", "--id", "m1", "x")).MustSucceed();
        (await _quickq.RunAsync("add", "--id", "m2", "x")).MustSucceed();
    }
}
