using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>The log of a running agent: how much it says is changed under way, and nobody who does not read it holds it up.</summary>
[Collection<TwoNodesCollection>]
public sealed class AgentLogTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    /// <summary>Gives the agent a pipe as standard error that is full already, and that somebody has open for reading but does not read.</summary>
    private const string WithFullPipe = "exec 3<>\"$0\" && dd if=/dev/zero of=\"$0\" bs=4096 oflag=nonblock 2> \"$0.dd\"; exec 2>&3 \"$@\"";

    public async ValueTask InitializeAsync()
    {
        await hosts.First.EnsureServingAsync();
        await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "satellite");
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact(Timeout = 240_000)]
    public async Task Its_level_changes_at_sighup_in_both_directions_and_no_connection_is_touched()
    {
        using var spool = new TempSpool();
        var configuration = new AgentConfiguration(spool.Path)
            .WithServer("mq1", hosts.First, hosts.Name, "satellite")
            .WithServer("dead", "127.0.0.1", FreePort.Next(), "/", "satellite");
        using var agent = AgentProcess.Start(configuration);
        await agent.AwaitLogAsync("mq1: connected to", Limit);
        await agent.AwaitLogAsync("dead: cannot connect", Limit);
        Assert.DoesNotContain(" DEBUG ", agent.Stderr, StringComparison.Ordinal);

        await ReloadWithAsync(agent, configuration, "debug", " INFO read ");
        await agent.AwaitLogAsync(" DEBUG dead: next attempt to connect in ", Limit);

        // A reload is told at level information: at error it is not, so the level is known to be in force by what is silent after it.
        await ReloadWithAsync(agent, configuration, "error", written: null);
        configuration.Root["logLevel"] = "loud";
        configuration.Write();
        agent.Reload();
        await agent.AwaitLogAsync(" ERROR the changed configuration is not used", Limit);
        string atError = agent.Stderr;
        await ReloadWithAsync(agent, configuration, "information", " INFO read ");
        Assert.Equal(0, await agent.StopAsync());

        Assert.Single(atError.Split("mq1: connected to").Skip(1));
        Assert.Equal(2, agent.Stderr.Split(" INFO read ").Length - 1);
        Assert.DoesNotContain("its forwarder stops", agent.Stderr, StringComparison.Ordinal);
    }

    [Fact(Timeout = 240_000)]
    public async Task A_pipe_that_nobody_reads_holds_up_neither_deliveries_nor_the_stop_and_has_every_line_once_it_is_read()
    {
        using var spool = new TempSpool();
        var configuration = new AgentConfiguration(spool.Path).WithServer("mq1", hosts.First, hosts.Name, "satellite");
        string pipe = spool.File("stderr");
        using var mkfifo = ChildProcess.Start("mkfifo", [pipe]);
        Assert.Equal(0, await mkfifo.WaitForExitAsync(Limit));
        using var agent = AgentProcess.Start(configuration, environment: null, inside: null, "sh", "-c", WithFullPipe, pipe);
        var command = new SpoolCommand(spool);
        await spool.AwaitServersAsync(Limit);
        (await command.RunAsync("add", "-t", "a.b", "--wait=60s", "{}")).MustSucceed();

        using var reader = ChildProcess.Start("sh", ["-c", "cat < \"$0\"", pipe]);
        await Eventually.Is("what was kept meanwhile is written", Limit, () => reader.Stdout.Contains("mq1: connected to", StringComparison.Ordinal));
        Assert.Contains(" INFO quickq-agent ", reader.Stdout.Split('\n')[0], StringComparison.Ordinal);
        reader.Kill();

        // Full again: an end by SIGTERM waits for nobody.
        using var filler = ChildProcess.Start("sh", ["-c", "dd if=/dev/zero of=\"$0\" bs=4096 oflag=nonblock", pipe]);
        await filler.WaitForExitAsync(Limit);
        Assert.Equal(0, await agent.StopAsync());
    }

    /// <summary>Writes the level down and sends SIGHUP; <paramref name="written"/> is what the log must then have once more, if it has anything.</summary>
    private static async Task ReloadWithAsync(AgentProcess agent, AgentConfiguration configuration, string level, string? written)
    {
        int before = written is null ? 0 : agent.Stderr.Split(written).Length;
        configuration.Root["logLevel"] = level;
        configuration.Write();
        agent.Reload();
        if (written is not null)
        {
            await Eventually.Is($"the log says once more '{written}'", Limit, () => agent.Stderr.Split(written).Length > before);
        }
    }
}
