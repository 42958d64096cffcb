using System.Diagnostics;
using Quickq.Testing;

namespace Quickq.Spool.Tests;

public sealed class SpoolWatchTests : IDisposable
{
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(30);
    private readonly TempSpool _spool = new();

    [Fact]
    public async Task An_append_is_seen_when_its_commit_can_be_seen()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        using var watch = new SpoolWatch(_spool.Path);
        using SpoolReader reader = SpoolReader.Open(_spool.Path);

        for (int i = 1; i <= 100; i++)
        {
            Task<bool> seen = Task.Run(() => watch.WaitForChange(Long));
            writer.Append(new OutgoingMessage());
            Assert.True(await seen);
            while (reader.ReadOverview().Messages < i)
            {
                // An event of the append before may have been left: then the next one comes.
                Assert.True(watch.WaitForChange(Long));
            }
        }
    }

    [Fact]
    public void A_program_that_does_not_know_the_lock_is_seen_too()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        using var watch = new SpoolWatch(_spool.Path);

        using Process sqlite = Process.Start("sqlite3", [_spool.Path, "INSERT INTO message (body) VALUES ('x')"]);

        Assert.True(watch.WaitForChange(Long));
        sqlite.WaitForExit();
        Assert.Equal(0, sqlite.ExitCode);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void And_beside_those_that_know_it(bool isAgent)
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        using var watch = new SpoolWatch(_spool.Path, isAgent);
        using SpoolReader reader = SpoolReader.Open(_spool.Path);
        writer.Append(new OutgoingMessage());
        Assert.True(watch.WaitForChange(Long));

        using Process sqlite = Process.Start("sqlite3", [_spool.Path, "INSERT INTO message (body) VALUES ('x')"]);
        sqlite.WaitForExit();
        Assert.Equal(0, sqlite.ExitCode);

        // Until the WAL is watched again, and once more.
        Assert.True(watch.WaitForChange(Long));
        Assert.Equal(2, reader.ReadOverview().Messages);
    }

    [Fact]
    public void The_agent_is_not_woken_by_what_it_touches_for_others()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        using var agent = new SpoolWatch(_spool.Path, isAgent: true);
        using var other = new SpoolWatch(_spool.Path);
        string touched = SpoolPath.AgentFile(_spool.Path);
        File.WriteAllText(touched, "");
        Assert.True(other.WaitForChange(Long));

        File.SetLastWriteTimeUtc(touched, DateTime.UnixEpoch);

        Assert.True(other.WaitForChange(Long));
        Assert.False(agent.WaitForChange(TimeSpan.Zero));
    }

    [Fact]
    public void A_lock_file_that_was_made_again_is_watched_again()
    {
        using (SpoolWriter.Open(_spool.Path))
        {
        }

        using var watch = new SpoolWatch(_spool.Path, isAgent: true);
        string lockFile = SpoolPath.LockFile(_spool.Path);
        File.Delete(lockFile);
        File.WriteAllText(lockFile, "");
        while (watch.WaitForChange(TimeSpan.Zero))
        {
            // what was said of the new file
        }

        File.SetLastWriteTimeUtc(lockFile, DateTime.UnixEpoch);

        Assert.True(watch.WaitForChange(Long));
    }

    [Fact]
    public void Nothing_is_reported_when_nothing_happens()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        using var watch = new SpoolWatch(_spool.Path);

        Assert.False(watch.WaitForChange(TimeSpan.FromMilliseconds(200)));
    }

    [Fact]
    public void A_wake_ends_the_wait()
    {
        using var watch = new SpoolWatch(_spool.Path);
        watch.Wake();

        Assert.True(watch.WaitForChange(Long));
        Assert.False(watch.WaitForChange(TimeSpan.Zero));
    }

    public void Dispose() => _spool.Dispose();
}
