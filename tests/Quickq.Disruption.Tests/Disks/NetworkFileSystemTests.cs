using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>
/// A spool on a file system that other hosts may share is refused before anything is made. Tried with a mounted FUSE file system; the others are told by the number
/// that statfs(2) gives for them, and were not mounted.
/// </summary>
public sealed class NetworkFileSystemTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    [Fact(Timeout = 300_000)]
    public async Task A_spool_on_it_is_refused_with_the_reason_by_producers_and_by_the_agent()
    {
        using RecordedDisk disk = await RecordedDisk.MakeAsync();
        using var folder = new TempFolder("settings");
        string spool = Path.Combine(disk.FuseFolder, "spool.db"), settings = folder.File("quickq.json");
        new AgentConfiguration(spool).WithServer("mq1", "127.0.0.1", 1, "/", "satellite").WriteTo(settings);
        string[] before = Directory.GetFiles(disk.FuseFolder);

        foreach (string[] command in (string[][])[
            [BuiltPrograms.SpoolCli, "add", "-t", "some.key", "{}"],
            [BuiltPrograms.Agent, "--config", settings]])
        {
            CommandResult refused = await RunAsync(spool, anyFileSystem: false, command);

            Assert.True(refused.ExitCode == 78, $"{command[0]}: exit {refused.ExitCode}: {refused.Stderr}");
            Assert.Contains($"{disk.FuseFolder} is on FUSE: a spool needs a local file system", refused.Stderr, StringComparison.Ordinal);
            Assert.Contains("put the spool on a local disk", refused.Stderr, StringComparison.Ordinal);
            Assert.Equal(before, Directory.GetFiles(disk.FuseFolder));
        }

        CommandResult atOwnRisk = await RunAsync(spool, anyFileSystem: true, [BuiltPrograms.SpoolCli, "add", "-t", "some.key", "{}"]);
        Assert.DoesNotContain("local file system", atOwnRisk.Stderr, StringComparison.Ordinal);
        await disk.UnmountAsync();
    }

    private static async Task<CommandResult> RunAsync(string spool, bool anyFileSystem, string[] command)
    {
        using ChildProcess child = ChildProcess.Start(command[0], command[1..], new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["QUICKQ_SPOOL"] = spool,
            ["QUICKQ_ANY_FILE_SYSTEM"] = anyFileSystem ? "1" : null,
        });
        child.Stdin.Close();
        int code = await child.WaitForExitAsync(Limit);
        return new CommandResult(code, child.Stdout, child.Stderr);
    }
}
