using System.Globalization;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>
/// The disk fails at the n-th call of a kind, for every n that a short run reaches (strace injects the error): a producer ends with 74 or 75, or has
/// told an id that is there; the spool is sound and takes the next message.
/// </summary>
public sealed class FailingCallTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);
    private static readonly string[] Calls = ["fsync", "fdatasync", "write", "pwrite64", "ftruncate"];
    private static readonly string[] Errors = ["EIO", "ENOSPC"];

    private static bool IsLong => Environment.GetEnvironmentVariable("QUICKQ_LONG") is "1";

    [Theory(Timeout = 3_000_000)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_add_to_a_spool_that_is_there(bool logIsThere)
    {
        int tried = 0, refused = 0;
        foreach (string call in Calls)
        {
            foreach (string error in logIsThere || IsLong ? Errors : Errors[..1])
            {
                for (int number = 1; ; number++)
                {
                    using var spool = new TempSpool();
                    Append(spool, "before");
                    if (!logIsThere)
                    {
                        CutLogAway(spool);
                    }

                    // Only calls on the spool's own files: what the program prints is another matter.
                    string[] files = [.. new[] { "", "-wal", "-shm" }.SelectMany(suffix => new[] { "-P", spool.Path + suffix })];
                    var (injected, failed) = await TryAsync(spool, call, error, number, files);
                    if (!injected)
                    {
                        break;
                    }

                    tried++;
                    refused += failed ? 1 : 0;
                }
            }
        }

        output.WriteLine($"{tried} calls failed, {refused} of these adds were refused");
        Assert.True(tried > 2 && refused > 0, "no call was hit");
    }

    [Fact(Timeout = 3_000_000)]
    public async Task An_add_that_makes_the_spool()
    {
        int tried = 0, refused = 0, step = IsLong ? 1 : 6;
        foreach (string call in Calls.Where(call => call is not "write"))
        {
            for (int number = call is "pwrite64" ? Some.Number(1, step) : 1; ; number += call is "pwrite64" ? step : 1)
            {
                using var spool = new TempSpool();
                var (injected, failed) = await TryAsync(spool, call, Errors[number % 2], number, []);
                if (!injected)
                {
                    break;
                }

                tried++;
                refused += failed ? 1 : 0;
            }
        }

        output.WriteLine($"{tried} calls failed, {refused} of these adds were refused (seed {Some.Seed})");
        Assert.True(tried > 4 && refused > 0, "no call was hit");
    }

    private static async Task<(bool Injected, bool Refused)> TryAsync(TempSpool spool, string call, string error, int number, string[] files)
    {
        string where = string.Create(CultureInfo.InvariantCulture, $"{error} at {call} number {number}"), trace = spool.File("trace");
        string[] command = [BuiltPrograms.SpoolCli, "add", "the message"];
        using var child = ChildProcess.Start(
            "strace",
            ["-f", "-o", trace, .. files, "-e", $"trace={call}", "-e", string.Create(CultureInfo.InvariantCulture, $"inject={call}:error={error}:when={number}"), .. command],
            new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                ["QUICKQ_SPOOL"] = spool.Path,
                ["DOTNET_EnableWriteXorExecute"] = "0", // else the runtime itself needs ftruncate to start
            });
        child.Stdin.Close();
        int code = await child.WaitForExitAsync(Limit);
        bool injected = (await File.ReadAllTextAsync(trace, TestContext.Current.CancellationToken)).Contains("(INJECTED)", StringComparison.Ordinal);

        // 73: where no spool could be made at all.
        Assert.True(code is 0 or 74 or 75 || (code == 73 && files.Length == 0), $"{where}: exit {code}: {child.Stderr}");
        Assert.True(code == 0 || child.Stderr.Length > 0, $"{where}: no reason given");
        Assert.True(injected || code == 0, $"{where}: nothing failed, and yet: {child.Stderr}");
        if (code == 0)
        {
            Assert.Equal([child.Stdout.Trim()], spool.Query<string>("SELECT id FROM message WHERE id <> 'before'"));
        }

        // The next one finds a spool that is sound and takes it; so does the dispose of the spool.
        Append(spool, "after");
        string damage = string.Join("; ", SpoolCheck.Run(spool.Path).Where(finding => finding.Level == CheckLevel.Damaged).Select(finding => finding.Text));
        Assert.True(damage.Length == 0, $"{where}: {damage}");
        Assert.Contains("after", spool.Query<string>("SELECT id FROM message"), StringComparer.Ordinal);
        return (injected, code != 0);
    }

    private static void Append(TempSpool spool, string id)
    {
        using SpoolWriter writer = SpoolWriter.Open(spool.Path);
        writer.Append(new OutgoingMessage { Id = id });
    }

    private static void CutLogAway(TempSpool spool)
    {
        spool.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
        File.Delete(spool.Path + "-wal");
        File.Delete(spool.Path + "-shm");
    }
}
