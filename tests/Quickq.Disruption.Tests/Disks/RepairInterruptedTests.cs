using System.Diagnostics;
using System.Globalization;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>
/// A repair is killed at each of its steps on the spool's files (strace sends the signal at the n-th call), or finds the disk full: every message is in the spool or can be
/// taken from it again, and whoever comes next goes on.
/// </summary>
public sealed class RepairInterruptedTests(ITestOutputHelper output)
{
    private const int Messages = 300;

    /// <summary>Three links (file, log, index), two names of log and index removed and the mark, and the fresh file's rename.</summary>
    private const int StepsWithLog = 7;
    private static readonly string[] Calls = ["link", "unlink", "rename"];
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    [Fact(Timeout = 600_000)]
    public async Task Killed_by_hand_at_any_step_of_the_exchange_the_next_producer_finds_all_of_it()
    {
        int killed = 0, kind = 0;
        for (int number = 1; kind < Calls.Length; number++)
        {
            using var spool = new TempSpool();
            List<string> ids = [.. await AddAsync(spool)];

            // The messages are in the log, and nothing is wrong with the file: the spool without its log would look sound, and empty.
            MiscountInLog(spool);
            if (!await KillAtAsync(spool, Calls[kind], number, [BuiltPrograms.SpoolCli, "check", "--repair"]))
            {
                (kind, number) = (kind + 1, 0);
                continue;
            }

            killed++;
            string where = string.Create(CultureInfo.InvariantCulture, $"killed at {Calls[kind]} number {number}");
            ids.Add((await new SpoolCommand(spool).RunAsync("add", "after the kill")).MustSucceed().Stdout.Trim());
            Assert.True(ids.SequenceEqual(spool.Query<string>("SELECT id FROM message ORDER BY seq"), StringComparer.Ordinal), where);
            (await new SpoolCommand(spool).RunAsync("check", "--repair")).MustSucceed();
            (await new SpoolCommand(spool).RunAsync("check")).MustSucceed();
            Assert.True(ids.SequenceEqual(spool.Query<string>("SELECT id FROM message ORDER BY seq"), StringComparer.Ordinal), where);
            Assert.Empty(Directory.GetFiles(spool.Folder, "*.new.*").Concat(Directory.GetFiles(spool.Folder, "*.repair")));
        }

        output.WriteLine($"killed at each of {killed} steps");
        Assert.True(killed == StepsWithLog, $"{killed} steps of a repair were hit");
    }

    [Fact(Timeout = 600_000)]
    public async Task Killed_in_its_repair_the_agent_repairs_at_its_next_start()
    {
        int killed = 0, kind = 0;
        for (int number = 1; kind < Calls.Length; number++)
        {
            using var spool = new TempSpool();
            string[] ids = await AddAsync(spool);
            BreakHeader(spool);
            AgentConfiguration configuration = new AgentConfiguration(spool.Path).WithServer("mq1", "127.0.0.1", FreePort.Next(), "/", "nowhere");
            configuration.Write();
            if (!await KillAtAsync(spool, Calls[kind], number, [BuiltPrograms.Agent, "--config", configuration.FilePath], until: "was replaced by a fresh one"))
            {
                (kind, number) = (kind + 1, 0);
                continue;
            }

            killed++;
            using AgentProcess agent = AgentProcess.Start(configuration);
            await Eventually.Is("the spool can be read", Limit, async () => (await new SpoolCommand(spool).RunAsync("status")).ExitCode == 0);
            await Eventually.Gives("all messages wait for the server", (long)ids.Length, Limit, () => spool.Value<long>("SELECT coalesce(sum(pending), 0) FROM server WHERE name = 'mq1'"));
            Assert.Equal(ids, spool.Query<string>("SELECT id FROM message ORDER BY seq"));
            Assert.Equal(0, await agent.StopAsync());
        }

        output.WriteLine($"killed at each of {killed} steps");
        Assert.True(killed >= 3, $"{killed} steps of a repair were hit");
    }

    [Fact(Timeout = 300_000)]
    public async Task On_a_full_disk_it_says_so_and_leaves_the_spool_and_works_when_there_is_room()
    {
        using SmallDisk disk = SmallDisk.Ext4(24);
        using var spool = new TempSpool(disk.Folder);
        string[] ids = await AddAsync(spool);
        BreakHeader(spool);
        byte[] before = await File.ReadAllBytesAsync(spool.Path, TestContext.Current.CancellationToken);
        AgentConfiguration configuration = new AgentConfiguration(spool.Path).WithServer("mq1", "127.0.0.1", FreePort.Next(), "/", "nowhere");
        configuration.Write();
        disk.Fill();

        CommandResult refused = await new SpoolCommand(spool).RunAsync("check", "--repair");

        Assert.True(refused.ExitCode == 75, $"exit {refused.ExitCode}: {refused.Stderr}");
        Assert.Matches("free space beside the spool; it is as it was|file system of .* is full", refused.Stderr);
        Assert.Equal(before, await File.ReadAllBytesAsync(spool.Path, TestContext.Current.CancellationToken));
        using AgentProcess agent = AgentProcess.Start(spool.Path, ["--config", configuration.FilePath]);
        await agent.AwaitLogAsync("the damaged spool cannot be repaired, tried again", Limit);
        disk.Empty();
        await agent.AwaitLogAsync($"{Messages} messages saved, 0 lost", Limit);
        Assert.Equal(ids, spool.Query<string>("SELECT id FROM message ORDER BY seq"));
        Assert.Equal(0, await agent.StopAsync());
    }

    private static async Task<string[]> AddAsync(TempSpool spool)
    {
        byte[] lines = [.. Enumerable.Range(0, Messages).SelectMany(_ => Some.Json(600).Append((byte)'\n'))];
        string[] ids = [.. (await new SpoolCommand(spool).RunWithInputAsync(lines, "add", "--lines")).MustSucceed().Lines];
        using SpoolWriter writer = SpoolWriter.Open(spool.Path);
        spool.Execute("INSERT INTO server (name) VALUES ('gone')");
        return ids;
    }

    /// <summary>Through a connection that is not the last one: that would checkpoint.</summary>
    private static void MiscountInLog(TempSpool spool)
    {
        using SpoolWriter writer = SpoolWriter.Open(spool.Path);
        spool.Execute("UPDATE server SET held = 99");
        Assert.InRange(new FileInfo(spool.Path + "-wal").Length, Messages * 600, long.MaxValue);
    }

    private static void BreakHeader(TempSpool spool)
    {
        spool.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
        File.Delete(spool.Path + "-wal");
        File.Delete(spool.Path + "-shm");
        using FileStream file = File.OpenWrite(spool.Path);
        file.Write(new byte[20]);
        spool.MustBeSound = false;
    }

    /// <summary>Runs a program until its n-th call of a step on the spool's files; false when it made no such call, and ended or said that it is through.</summary>
    private static async Task<bool> KillAtAsync(TempSpool spool, string call, int number, string[] program, string? until = null)
    {
        string trace = spool.File("trace");

        // Strace looks at the first path of a call only: of a rename that is the draft's, which has the process's number in it.
        string[] files = call is "rename" ? [] : [.. new[] { "", "-wal", "-shm", ".repair" }.SelectMany(suffix => new[] { "-P", spool.Path + suffix })];
        using var child = ChildProcess.Start(
            "strace",
            ["-f", "-o", trace, .. files, "-e", $"trace={call}", "-e", string.Create(CultureInfo.InvariantCulture, $"inject={call}:signal=KILL:when={number}"), .. program],
            new Dictionary<string, string?>(StringComparer.Ordinal) { ["QUICKQ_SPOOL"] = spool.Path });
        child.Stdin.Close();
        await Eventually.Is("it is killed or through", Limit, () => child.HasExited || (until is not null && child.Stderr.Contains(until, StringComparison.Ordinal)));
        if (!child.HasExited)
        {
            using var traced = Process.GetProcessById(int.Parse(child.Stderr.Split("pid ")[1].Split('\n')[0], CultureInfo.InvariantCulture));
            traced.Kill();
            await child.WaitForExitAsync(Limit);
            return false;
        }

        return (await File.ReadAllTextAsync(trace, TestContext.Current.CancellationToken)).Contains("killed by SIGKILL", StringComparison.Ordinal);
    }
}
