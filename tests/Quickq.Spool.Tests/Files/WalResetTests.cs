using System.Globalization;
using Microsoft.Data.Sqlite;
using Quickq.Spool.Upkeep;
using Quickq.Testing;

namespace Quickq.Spool.Tests.Files;

/// <summary>One writer and two connections that checkpoint all the time, which SQLite's WAL-reset bug (3.7.0 to 3.51.2) needs. With the lock it must be harmless.</summary>
public sealed class WalResetTests(ITestOutputHelper output)
{
    private static TimeSpan Duration => TimeSpan.FromSeconds(Environment.GetEnvironmentVariable("QUICKQ_LONG") is "1" ? 300 : 4);

    [Fact(Timeout = 900_000)]
    public void With_the_lock_the_spool_stays_sound()
    {
        using var spool = new TempSpool();
        using SpoolWriter writer = SpoolWriter.Open(spool.Path);
        int commits = Stress(
            number => writer.Append(new OutgoingMessage { Body = Some.Bytes(1 + (number * 37 % 5000)) }),
            () => SpoolFile.OpenForWriting(spool.Path, create: false),
            file => file.UnderLock(Checkpointer.Run_NeedsLock));

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"with the lock: {commits} commits"));
        Assert.Equal(commits, spool.Value<int>("SELECT count(*) FROM message"));
        Assert.DoesNotContain(SpoolCheck.Run(spool.Path), finding => finding.Level == CheckLevel.Damaged);
    }

    /// <summary>Says only what was seen: the bug is rare, and a fixed SQLite does not have it.</summary>
    [Fact(Timeout = 900_000)]
    public void Without_the_lock_it_is_tried_to_provoke_the_bug_and_told_whether_it_was()
    {
        using var spool = new TempSpool { MustBeSound = false };
        SpoolWriter.Open(spool.Path).Dispose();
        using SqliteConnection writer = SpoolConnection.Connect(spool.Path);
        string said = "";
        int commits = 0;
        try
        {
            commits = Stress(
                number => writer.Execute($"INSERT INTO message (body) VALUES (randomblob({1 + (number * 37 % 5000)}))"),
                () => SpoolConnection.Connect(spool.Path),
                connection => connection.Execute("PRAGMA wal_checkpoint(RESTART)"));
        }
        catch (SqliteException failure) when (failure.SqliteErrorCode is SQLitePCL.raw.SQLITE_CORRUPT)
        {
            said = failure.Message;
        }

        string found = said.Length > 0 ? said : string.Join("; ", spool.Query<string>("PRAGMA integrity_check(3)"));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"without the lock, SQLite {SQLitePCL.raw.sqlite3_libversion().utf8_to_string()}, {commits} commits in {Duration}: {(found is "ok" ? "the bug was NOT provoked" : $"PROVOKED: {found}")}"));
        Assert.NotEmpty(found);
    }

    private static int Stress<T>(Action<int> commit, Func<T> open, Action<T> checkpoint)
        where T : IDisposable
    {
        using var end = new CancellationTokenSource(Duration);
        Thread[] checkpointers = [.. Enumerable.Range(0, 2).Select(_ => new Thread(() =>
        {
            using T connection = open();
            while (!end.IsCancellationRequested)
            {
                try
                {
                    checkpoint(connection);
                }
                catch (SqliteException busy) when (busy.SqliteErrorCode is SQLitePCL.raw.SQLITE_BUSY or SQLitePCL.raw.SQLITE_CORRUPT)
                {
                    // The other one checkpoints; damage is told by the check at the end.
                }
            }
        }))];
        foreach (Thread thread in checkpointers)
        {
            thread.Start();
        }

        int commits = 0;
        try
        {
            while (!end.IsCancellationRequested)
            {
                commit(commits);
                commits++;
            }
        }
        finally
        {
            end.Cancel();
            foreach (Thread thread in checkpointers)
            {
                thread.Join();
            }
        }

        return commits;
    }
}
