using System.Diagnostics;
using Quickq.Spool.Files;
using Quickq.Testing;

namespace Quickq.Spool.Tests.Files;

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
    public async Task A_wait_can_be_cancelled_and_does_not_keep_the_lock_later()
    {
        using var holder = new WriteLock(_spool.Path);
        using var waiter = new WriteLock(_spool.Path);
        using var stop = new CancellationTokenSource();
        holder.Acquire(TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken);
        Task waiting = Task.Run(() => waiter.Acquire(TimeSpan.FromMinutes(5), stop.Token));
        await Assert.ThrowsAsync<TimeoutException>(() => waiting.WaitAsync(TimeSpan.FromMilliseconds(200)));

        await stop.CancelAsync();

        await Assert.ThrowsAsync<OperationCanceledException>(() => waiting.WaitAsync(TimeSpan.FromSeconds(10)));
        holder.Release(announce: false);
        waiter.Acquire(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        waiter.Release(announce: false);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_lock_file_that_was_replaced_is_opened_again_so_that_all_lock_the_same(bool removedOnly)
    {
        using var old = new WriteLock(_spool.Path);
        File.Delete(_spool.Path + ".lock");
        if (!removedOnly)
        {
            File.WriteAllText(_spool.Path + ".lock", "");
        }

        old.Acquire(TimeSpan.FromSeconds(5));

        using var other = new WriteLock(_spool.Path);
        Assert.Equal(SpoolFault.Busy, Assert.Throws<SpoolException>(() => other.Acquire(TimeSpan.FromMilliseconds(100))).Fault);
        old.Release(announce: false);
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
