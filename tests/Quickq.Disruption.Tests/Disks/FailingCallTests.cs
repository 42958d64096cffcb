using System.Globalization;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>
/// The disk fails at the n-th call of a kind, for every n that a short run reaches (strace injects the error): a producer ends with 74 or 75, or has
/// printed an id that is there; the spool is sound and takes the next message. The same through the spool service, which goes on.
/// </summary>
public sealed class FailingCallTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);
    private static readonly string[] Calls = ["fsync", "fdatasync", "write", "pwrite64", "ftruncate"];
    private static readonly string[] Errors = ["EIO", "ENOSPC"];

    private static bool IsLong => Environment.GetEnvironmentVariable("QUICKQ_LONG") is "1";

    [Theory(Timeout = 3_000_000)]
    [InlineData("quickq-spool", true)]
    [InlineData("service", true)]
    [InlineData("quickq-spool", false)]
    [InlineData("service", false)]
    public async Task An_add_to_a_spool_that_is_there(string program, bool logIsThere)
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
                    var (injected, failed) = await TryAsync(spool, program, call, error, number, files);
                    if (!injected)
                    {
                        break;
                    }

                    tried++;
                    refused += failed ? 1 : 0;
                }
            }
        }

        output.WriteLine($"{program}: {tried} calls failed, {refused} of these adds were refused");
        Assert.True(tried > 2 && refused > 0, "no call was hit");
    }

    [Theory(Timeout = 3_000_000)]
    [InlineData("quickq-spool")]
    [InlineData("service")]
    public async Task An_add_that_makes_the_spool(string program)
    {
        int tried = 0, refused = 0, step = IsLong ? 1 : 6;
        foreach (string call in Calls.Where(call => call is not "write"))
        {
            for (int number = call is "pwrite64" ? Some.Number(1, step) : 1; ; number += call is "pwrite64" ? step : 1)
            {
                using var spool = new TempSpool();
                var (injected, failed) = await TryAsync(spool, program, call, Errors[number % 2], number, []);
                if (!injected)
                {
                    break;
                }

                tried++;
                refused += failed ? 1 : 0;
            }
        }

        output.WriteLine($"{program}: {tried} calls failed, {refused} of these adds were refused (seed {Some.Seed})");
        Assert.True(tried > 4 && refused > 0, "no call was hit");
    }

    private static async Task<(bool Injected, bool Refused)> TryAsync(TempSpool spool, string program, string call, string error, int number, string[] files)
    {
        string where = string.Create(CultureInfo.InvariantCulture, $"{program}: {error} at {call} number {number}"), trace = spool.File("trace");

        // With -D the traced program is the test's own child.
        string[] strace = ["strace", "-D", "-f", "-o", trace, .. files, "-e", $"trace={call}", "-e", string.Create(CultureInfo.InvariantCulture, $"inject={call}:error={error}:when={number}")];
        CommandResult added = program is "service" ? await AddThroughServiceAsync(spool, strace, where) : await AddAsync(spool, strace);
        await Eventually.Is("the trace is complete", Limit, () => File.ReadAllText(trace).Contains("+++ exited", StringComparison.Ordinal));
        bool injected = (await File.ReadAllTextAsync(trace, TestContext.Current.CancellationToken)).Contains("(INJECTED)", StringComparison.Ordinal);
        int code = added.ExitCode;

        // 73: where no spool could be made at all.
        Assert.True(code is 0 or 74 or 75 || (code == 73 && files.Length == 0), $"{where}: exit {code}: {added.Stderr}");
        Assert.True(code == 0 || added.Stderr.Length > 0, $"{where}: no reason given");
        Assert.True(injected || code == 0, $"{where}: nothing failed, and yet: {added.Stderr}");
        if (code == 0)
        {
            Assert.Equal([added.Stdout.Trim()], spool.Query<string>("SELECT id FROM message WHERE id NOT IN ('before', 'next')"));
        }

        // The next one finds a spool that is sound and takes it; so does the dispose of the spool.
        Append(spool, "after");
        string damage = string.Join("; ", SpoolCheck.Run(spool.Path).Where(finding => finding.Level == CheckLevel.Damaged).Select(finding => finding.Text));
        Assert.True(damage.Length == 0, $"{where}: {damage}");
        Assert.Contains("after", spool.Query<string>("SELECT id FROM message"), StringComparer.Ordinal);
        return (injected, code != 0);
    }

    private static async Task<CommandResult> AddAsync(TempSpool spool, string[] strace)
    {
        using var child = ChildProcess.Start(strace[0], [.. strace[1..], BuiltPrograms.SpoolCli, "add", "the message"], new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["QUICKQ_SPOOL"] = spool.Path,
            ["DOTNET_EnableWriteXorExecute"] = "0", // else the runtime itself needs ftruncate to start
        });
        child.Stdin.Close();
        return new CommandResult(await child.WaitForExitAsync(Limit), child.Stdout, child.Stderr);
    }

    private static async Task<CommandResult> AddThroughServiceAsync(TempSpool spool, string[] strace, string where)
    {
        using OwnServeProcess service = await OwnServeProcess.StartAsync(spool.Path, ["env", "DOTNET_EnableWriteXorExecute=0", .. strace]);
        CommandResult added = await new SpoolCommand(spool).RunAsync("--service", "add", "the message");
        CommandResult next = await new SpoolCommand(spool).RunAsync("--service", "add", "--id", "next", "the next one");
        if (next.ExitCode is 74 or 75)
        {
            // The one call that fails was this one's.
            next = await new SpoolCommand(spool).RunAsync("--service", "add", "--id", "next", "the next one");
        }

        Assert.True(next.ExitCode == 0, $"{where}: the service does not take the next message: exit {next.ExitCode}: {next.Stderr}");
        Assert.True(await service.StopAsync() == 0, $"{where}: {service.Stderr}");
        return added;
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
