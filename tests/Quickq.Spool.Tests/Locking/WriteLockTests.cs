using System.Diagnostics;
using Quickq.Spool.Locking;
using Quickq.Testing;

namespace Quickq.Spool.Tests.Locking;

public sealed class WriteLockTests : IDisposable
{
    private readonly TempSpool _spool = new();

    [Fact]
    public async Task A_second_holder_waits_until_the_first_releases()
    {
        using var first = new WriteLock(_spool.Path);
        using var second = new WriteLock(_spool.Path);
        first.Acquire(TimeSpan.FromSeconds(5));
        Task waiting = Task.Run(() => second.Acquire(TimeSpan.FromSeconds(30)));
        await Assert.ThrowsAsync<TimeoutException>(() => waiting.WaitAsync(TimeSpan.FromMilliseconds(200)));

        first.Release(announce: false);

        await waiting.WaitAsync(TimeSpan.FromSeconds(10));
        second.Release(announce: false);
    }

    [Fact]
    public void Whoever_waits_too_long_is_told_to_try_later_and_by_whom_it_is_held()
    {
        using var holder = new WriteLock(_spool.Path);
        using var late = new WriteLock(_spool.Path);
        holder.Acquire(TimeSpan.FromSeconds(5));
        var watch = Stopwatch.StartNew();

        SpoolException refused = Assert.Throws<SpoolException>(() => late.Acquire(TimeSpan.FromMilliseconds(300)));

        Assert.Equal(SpoolFault.Busy, refused.Fault);
        Assert.Contains($"by process {Environment.ProcessId}", refused.Message, StringComparison.Ordinal);
        Assert.InRange(watch.Elapsed, TimeSpan.FromMilliseconds(250), TimeSpan.FromSeconds(20));
        holder.Release(announce: false);
    }

    [Fact]
    public void A_wait_that_was_given_up_does_not_keep_the_lock_later()
    {
        using var holder = new WriteLock(_spool.Path);
        using var late = new WriteLock(_spool.Path);
        using var third = new WriteLock(_spool.Path);
        holder.Acquire(TimeSpan.FromSeconds(5));
        Assert.Throws<SpoolException>(() => late.Acquire(TimeSpan.FromMilliseconds(100)));

        holder.Release(announce: false);

        third.Acquire(TimeSpan.FromSeconds(10));
        third.Release(announce: false);
    }

    [Fact]
    public void A_program_that_only_knows_flock_is_excluded_too()
    {
        using var writeLock = new WriteLock(_spool.Path);
        writeLock.Acquire(TimeSpan.FromSeconds(5));

        using Process flock = Process.Start("flock", ["-n", _spool.Path + ".lock", "true"]);
        flock.WaitForExit();

        Assert.Equal(1, flock.ExitCode);
        writeLock.Release(announce: false);
    }

    [Fact]
    public void A_symbolic_link_in_place_of_the_lock_is_refused()
    {
        File.CreateSymbolicLink(_spool.Path + ".lock", "/dev/null");

        Assert.Equal(SpoolFault.PermissionDenied, Assert.Throws<SpoolException>(() => new WriteLock(_spool.Path)).Fault);
    }

    public void Dispose() => _spool.Dispose();
}
