using System.Diagnostics;
using System.Text;
using Quickq.Spool;
using Quickq.Spool.Locking;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary>Programs of every language wait for the lock in one line, and one that does not go on keeps nobody.</summary>
public sealed class LockLineTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    /// <summary>Less than the two seconds for which a program stands behind somebody who does not go on: until then the order holds.</summary>
    private static readonly TimeSpan Orderly = TimeSpan.FromSeconds(1.5);

    [Fact(Timeout = 600_000)]
    public Task Programs_in_every_language_stand_in_one_line() => LockLine.PlayAsync(async () =>
    {
        using var spool = new TempSpool();
        using var line = new LockLine(spool);
        using SpoolWriter comesBack = SpoolWriter.Open(spool.Path), dotNet = SpoolWriter.Open(spool.Path);
        comesBack.Append(Message("first of all"));
        using var busy = new WriteLock(spool.Path);
        busy.Acquire(Limit);
        var watch = Stopwatch.StartNew();
        using ChildProcess python = Publish(spool, "Python");
        await line.IsTakenAsync(0);
        using ChildProcess command = Add(spool, "quickq-spool");
        await line.IsTakenAsync(1);
        Task appended = Task.Factory.StartNew(() => dotNet.Append(Message(".NET")), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await line.IsTakenAsync(2);
        using ChildProcess later = Publish(spool, "Python, later");
        await line.IsTakenAsync(3);
        busy.Release(announce: false);
        comesBack.Append(Message("whoever came back"));
        await appended.WaitAsync(Limit, TestContext.Current.CancellationToken);
        await EndsWellAsync(python);
        await EndsWellAsync(command);
        await EndsWellAsync(later);

        if (watch.Elapsed > Orderly)
        {
            throw new ConditionNotMetException($"it took {watch.Elapsed} to serve them, more than {Orderly}");
        }

        Assert.Equal(["Python", "quickq-spool", ".NET", "Python, later", "whoever came back"], Bodies(spool)[1..]);
    });

    [Fact(Timeout = 600_000)]
    public Task Whoever_was_stopped_while_he_waits_is_passed_and_served_later() => LockLine.PlayAsync(async () =>
    {
        using var spool = new TempSpool();
        using var line = new LockLine(spool);
        using WriteLock busy = new(spool.Path), late = new(spool.Path, TimeSpan.FromSeconds(1));
        busy.Acquire(Limit);
        using ChildProcess stopped = Add(spool, "the stopped one's");
        await line.IsTakenAsync(0);
        await stopped.PauseAsync();
        busy.Release(announce: false);

        var watch = Stopwatch.StartNew();
        for (int i = 0; i < 30; i++)
        {
            late.Acquire(Limit);
            late.Release(announce: false);
        }

        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(15), $"stood behind him for a second each time, {watch.Elapsed} in all");
        using ChildProcess python = Publish(spool, "Python's");
        await EndsWellAsync(python);
        stopped.Resume();
        await EndsWellAsync(stopped);
        Assert.Equal(["Python's", "the stopped one's"], Bodies(spool));
        await Eventually.Is("he left his place", Limit, () => line.IsEmpty);
    });

    [Fact(Timeout = 600_000)]
    public Task The_place_of_one_who_is_killed_is_free() => LockLine.PlayAsync(async () =>
    {
        using var spool = new TempSpool();
        using var line = new LockLine(spool);
        using var busy = new WriteLock(spool.Path);
        busy.Acquire(Limit);
        using ChildProcess killed = Add(spool, "never told");
        await line.IsTakenAsync(0);
        using ChildProcess next = Add(spool, "the next");
        await line.IsTakenAsync(1);

        killed.Kill();
        Assert.False(line.IsTakenUpTo(0));
        busy.Release(announce: false);

        await EndsWellAsync(next);
        Assert.Equal(["the next"], Bodies(spool));
        Assert.True(line.IsEmpty);
    });

    private static async Task EndsWellAsync(ChildProcess child) => Assert.True(await child.WaitForExitAsync(Limit) == 0, child.Stderr);

    private static string[] Bodies(TempSpool spool) => [.. spool.Query<string>("SELECT CAST(body AS TEXT) FROM message ORDER BY seq")];

    private static OutgoingMessage Message(string body) => new() { RoutingKey = "some.key", Body = Encoding.UTF8.GetBytes(body) };

    private static ChildProcess Add(TempSpool spool, string body) => new SpoolCommand(spool).Start("add", "-t", "some.key", body);

    private static ChildProcess Publish(TempSpool spool, string body) => ChildProcess.Start(
        "/usr/bin/python3", ["-m", "quickq", "-t", "some.key", body],
        new Dictionary<string, string?>(StringComparer.Ordinal) { ["QUICKQ_SPOOL"] = spool.Path, ["PYTHONPATH"] = BuiltPrograms.PythonPackage, ["PYTHONDONTWRITEBYTECODE"] = "1" });
}
