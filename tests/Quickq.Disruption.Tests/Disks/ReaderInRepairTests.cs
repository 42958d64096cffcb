using System.Globalization;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>Somebody asks for a message just when a repair has taken the old file's log away and not yet put the fresh file in its place (strace stops both where they are): it is found.</summary>
public sealed class ReaderInRepairTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    [Fact(Timeout = 300_000)]
    public async Task Whoever_opens_the_spool_in_the_middle_of_the_exchange_does_not_see_it_without_its_log()
    {
        using var spool = new TempSpool();
        string id;
        using (SpoolWriter writer = SpoolWriter.Open(spool.Path))
        {
            id = writer.Append(new OutgoingMessage());
            spool.Execute("INSERT INTO server (name, held) VALUES ('mq1', 99)");
        }

        using ChildProcess reader = StopAt(spool, "statx", ".repair", "reader", [BuiltPrograms.SpoolCli, "status", id]);
        await Eventually.Is("the reader has seen that there is no exchange", Limit, () => IsStopped(spool, "reader"));
        using ChildProcess repair = StopAt(spool, "unlink", "-wal", "repair", [BuiltPrograms.SpoolCli, "check", "--repair"]);
        await Eventually.Is("the log has gone, and the old file is there", Limit, () => IsStopped(spool, "repair"));
        Assert.False(File.Exists(spool.Path + "-wal"));
        Assert.True(File.Exists(spool.Path + ".repair"));

        await ContinueAsync(reader);
        await Eventually.Is("the reader has opened the file", Limit, () => reader.HasExited || IsWaitingForLock(Traced(reader)));
        await ContinueAsync(repair);

        Assert.True(await repair.WaitForExitAsync(Limit) == 0, repair.Stderr);
        Assert.True(await reader.WaitForExitAsync(Limit) == 0, $"{reader.Stdout}{reader.Stderr}");
        Assert.Contains(id, reader.Stdout, StringComparison.Ordinal);
        Assert.Equal([id], spool.Query<string>("SELECT id FROM message"));
    }

    /// <summary>Runs a program that stops itself right after its first call of a kind on one of the spool's files.</summary>
    private static ChildProcess StopAt(TempSpool spool, string calls, string suffix, string trace, string[] program) => ChildProcess.Start(
        "strace",
        ["-f", "-o", spool.File(trace), "-P", spool.Path + suffix, "-e", $"trace={calls}", "-e", $"inject={calls}:signal=STOP:when=1", .. program],
        new Dictionary<string, string?>(StringComparer.Ordinal) { ["QUICKQ_SPOOL"] = spool.Path });

    private static int? Traced(ChildProcess strace)
    {
        string children = string.Create(CultureInfo.InvariantCulture, $"/proc/{strace.Pid}/task/{strace.Pid}/children");
        return File.Exists(children) && File.ReadAllText(children).Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var pid, ..] ? int.Parse(pid, CultureInfo.InvariantCulture) : null;
    }

    private static bool IsStopped(TempSpool spool, string trace) => File.Exists(spool.File(trace)) && File.ReadAllText(spool.File(trace)).Contains("--- stopped by SIGSTOP ---", StringComparison.Ordinal);

    /// <summary>Some thread of the reader waits for the write lock, which the repair holds.</summary>
    private static bool IsWaitingForLock(int? pid) => pid is { } number
        && File.ReadLines("/proc/locks").Any(line => line.Contains("-> FLOCK", StringComparison.Ordinal) && line.Contains(string.Create(CultureInfo.InvariantCulture, $" {number} "), StringComparison.Ordinal));

    private static async Task ContinueAsync(ChildProcess strace)
    {
        using ChildProcess kill = ChildProcess.Start("kill", ["-CONT", Traced(strace)!.Value.ToString(CultureInfo.InvariantCulture)]);
        Assert.Equal(0, await kill.WaitForExitAsync(Limit));
    }
}
