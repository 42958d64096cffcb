using System.Globalization;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary>What <c>add</c> asks of the kernel, counted by strace. Limits are a quarter above what was counted when they were set.</summary>
public sealed class AddCostTests : IDisposable
{
    // Counted on 2026-11-25 and, on the files, 2026-11-27: who owns them, and whether lock and WAL are still the ones that are open, is looked at. On the spool's own files, whatever the program was compiled to; all calls only of a program that was compiled ahead of time, since
    // those of a run-time compiler differ from run to run.
    private const long CallsOnTheSpool = 130;
    private const long AllCalls = 480;

    // Counted on 2026-11-27: no database is opened.
    private const long CallsThroughTheService = 275;

    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);
    private readonly TempSpool _spool = new();

    [Fact(Timeout = 120_000)]
    public async Task An_add_makes_no_more_system_calls_than_it_did()
    {
        (await new SpoolCommand(_spool).RunAsync("add", "the first makes the spool")).MustSucceed();

        long own = await CountAsync("--direct", [.. new[] { "", "-wal", "-shm", ".lock" }.SelectMany(file => new[] { "-P", _spool.Path + file })]);

        CountedCost.RequireAtMost("system calls of an add on the spool's files", own, CallsOnTheSpool);
        if (!File.Exists(Path.ChangeExtension(BuiltPrograms.SpoolCli, ".dll")))
        {
            CountedCost.RequireAtMost("system calls of an add", await CountAsync("--direct", []), AllCalls);
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task An_add_through_the_service_makes_no_more_system_calls_than_it_did()
    {
        Assert.SkipWhen(File.Exists(Path.ChangeExtension(BuiltPrograms.SpoolCli, ".dll")), "those of a run-time compiler differ from run to run");
        using ChildProcess service = ChildProcess.Start(BuiltPrograms.SpoolCli, ["serve", "--spool", _spool.Path]);
        (await new SpoolCommand(_spool).RunAsync("--service", "add", "the first makes the spool")).MustSucceed();

        CountedCost.RequireAtMost("system calls of an add through the service", await CountAsync("--service", []), CallsThroughTheService);
    }

    public void Dispose() => _spool.Dispose();

    /// <summary>The column of calls in the last line of strace's summary: <c>100.00 0.001 3 301 12 total</c>, with or without errors.</summary>
    private async Task<long> CountAsync(string access, string[] options)
    {
        string counts = _spool.File("counts");
        using ChildProcess child = ChildProcess.Start("strace", ["-f", "-c", "-U", "calls,name", "-o", counts, .. options, BuiltPrograms.SpoolCli, access, "add", "--spool", _spool.Path, "one message"]);
        child.Stdin.Close();
        Assert.Equal(0, await child.WaitForExitAsync(Limit));
        string total = File.ReadLines(counts).Single(line => line.EndsWith(" total", StringComparison.Ordinal));
        return long.Parse(total.Split(' ', StringSplitOptions.RemoveEmptyEntries)[0], CultureInfo.InvariantCulture);
    }
}
