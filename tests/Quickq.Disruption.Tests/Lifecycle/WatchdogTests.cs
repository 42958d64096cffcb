using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>What systemd hears of the agent, and that its watchdog hears nothing more of one that hangs.</summary>
[Collection<TwoNodesCollection>]
public sealed class WatchdogTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    public async ValueTask InitializeAsync()
    {
        await hosts.First.EnsureServingAsync();
        await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "satellite");
    }

    public async ValueTask DisposeAsync() => await hosts.First.EnsureServingAsync();

    [Fact(Timeout = 240_000)]
    public async Task Systemd_hears_of_start_backlog_reload_and_stop()
    {
        using var spool = new TempSpool();
        using var systemd = new NotifySocket($"@quickq-{Guid.NewGuid():N}");
        var configuration = new AgentConfiguration(spool.Path).WithServer("mq1", hosts.First, hosts.Name, "satellite");
        using var agent = AgentProcess.Start(configuration, Watched(systemd));
        await systemd.AwaitAsync("READY=1", Limit);
        await systemd.AwaitAsync("STATUS=1 server connected; nothing waits", Limit);
        await systemd.AwaitAsync("WATCHDOG=1", Limit, times: 3);

        var cli = new SpoolCommand(spool);
        (await cli.RunAsync("pause", "mq1")).MustSucceed();
        (await cli.RunAsync("add", "-t", "a.b", "{}")).MustSucceed();
        await systemd.AwaitAsync("STATUS=0 of 1 server connected; mq1 paused: 1 wait", Limit);

        agent.Reload();
        await systemd.AwaitAsync("READY=1", Limit, times: 2);
        Assert.Equal((1, 1, 0), (systemd.Count("RELOADING=1"), systemd.Count("MONOTONIC_USEC="), systemd.Count("STOPPING=1")));

        Assert.Equal(0, await agent.StopAsync());
        await systemd.AwaitAsync("STOPPING=1", Limit);
        Assert.Equal(2, systemd.Count("READY=1"));
        Assert.Equal("READY=1", systemd.Heard[0]);
    }

    [Fact(Timeout = 60_000)]
    public async Task An_agent_that_cannot_open_its_spool_was_never_ready()
    {
        using var spool = new TempSpool { MustBeSound = false };
        await File.WriteAllTextAsync(spool.Path, "this is no spool, and nothing is done to it");
        using var systemd = new NotifySocket(spool.File("notify"));
        using var agent = AgentProcess.Start(new AgentConfiguration(spool.Path), Watched(systemd));

        Assert.Equal(65, await agent.WaitForExitAsync(Limit));

        Assert.Empty(systemd.Heard);
    }

    [Fact(Timeout = 300_000)]
    public async Task A_forwarder_that_hangs_starves_the_watchdog_and_one_whose_broker_is_frozen_does_not()
    {
        using var hungSpool = new TempSpool();
        using var waitingSpool = new TempSpool();
        using var hungSystemd = new NotifySocket(hungSpool.File("notify"));
        using var waitingSystemd = new NotifySocket(waitingSpool.File("notify"));
        using var hung = StartWithPasswordFile(hungSpool, hungSystemd);
        using var waiting = StartWithPasswordFile(waitingSpool, waitingSystemd);
        await Task.WhenAll(hung.AwaitLogAsync("connected", Limit), waiting.AwaitLogAsync("connected", Limit));

        // A real hang, beyond every deadline: a file on a disk that does not answer, as one on a dead NFS server would not.
        using RecordedDisk disk = await RecordedDisk.MakeAsync();
        await disk.PauseAsync();
        File.Delete(hungSpool.File("password"));
        File.CreateSymbolicLink(hungSpool.File("password"), Path.Combine(disk.FuseFolder, "disk"));
        await hosts.First.PauseAsync();
        await Task.WhenAll(hung.AwaitLogAsync("lost", Limit), waiting.AwaitLogAsync("lost", Limit));
        await hung.AwaitLogAsync(" CRITICAL no progress of mq1 for ", TimeSpan.FromMinutes(3));
        int fed = hungSystemd.Count("WATCHDOG=1");
        int fedToo = waitingSystemd.Count("WATCHDOG=1");
        await waitingSystemd.AwaitAsync("WATCHDOG=1", Limit, times: fedToo + 4);

        Assert.Equal(fed, hungSystemd.Count("WATCHDOG=1"));
        Assert.DoesNotContain("no progress", waiting.Stderr, StringComparison.Ordinal);

        // The disk answers again, and the loop turns, and is fed.
        disk.Resume();
        await hung.AwaitLogAsync("everything makes progress again", Limit);
        await hungSystemd.AwaitAsync("WATCHDOG=1", Limit, times: fed + 1);
    }

    private static Dictionary<string, string?> Watched(NotifySocket systemd) =>
        new(StringComparer.Ordinal) { ["NOTIFY_SOCKET"] = systemd.Address, ["WATCHDOG_USEC"] = "2000000" };

    private AgentProcess StartWithPasswordFile(TempSpool spool, NotifySocket systemd)
    {
        File.WriteAllText(spool.File("password"), "guest\n");
        File.SetUnixFileMode(spool.File("password"), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return AgentProcess.Start(
            new AgentConfiguration(spool.Path).WithServer("mq1", hosts.First, hosts.Name, "satellite", server =>
            {
                server.Remove("password");
                server["passwordFile"] = "password";
                server["heartbeat"] = "2s";
            }),
            Watched(systemd));
    }
}
