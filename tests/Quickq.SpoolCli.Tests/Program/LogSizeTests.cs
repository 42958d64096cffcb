using System.Diagnostics;
using System.Text;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary>The write-ahead log stays small with the agent away, also while somebody reads slowly.</summary>
public sealed class LogSizeTests : IDisposable
{
    private const long LogLimit = 8 << 20;
    private readonly TempSpool _spool = new();

    [Fact(Timeout = 240_000)]
    public async Task A_list_that_nobody_reads_to_its_end_holds_no_snapshot_and_producers_without_an_agent_cut_the_log_back()
    {
        await AddAsync(megabytes: 3);

        // As `list | less` does: it takes the first screen and leaves the rest in the pipe.
        var start = new ProcessStartInfo(BuiltPrograms.SpoolCli, ["list", "--json", "--limit", "100000", "--spool", _spool.Path]) { RedirectStandardOutput = true, UseShellExecute = false };
        using Process list = Process.Start(start)!;
        Assert.NotNull(await list.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));

        await AddAsync(megabytes: 24);

        Assert.False(list.HasExited, "the list waits for its reader");
        list.Kill();
        Assert.InRange(new FileInfo(_spool.Path + "-wal").Length, 0, LogLimit);
        Assert.InRange(new FileInfo(_spool.Path).Length, 24 << 20, long.MaxValue);
    }

    public void Dispose() => _spool.Dispose();

    private async Task AddAsync(int megabytes)
    {
        var lines = new StringBuilder();
        string text = Some.Word(1000);
        for (int i = 0; i < megabytes * 1000; i++)
        {
            lines.Append("{\"n\":").Append(i).Append(",\"text\":\"").Append(text).Append("\"}\n");
        }

        (await new SpoolCommand(_spool).RunWithInputAsync(Encoding.UTF8.GetBytes(lines.ToString()), "add", "--lines", "-t", "some.key")).MustSucceed();
    }
}
