using System.Text.Json;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>The agent as systemd runs it, with a real systemd-journald.</summary>
[Collection<TwoNodesCollection>]
public sealed class JournalTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    /// <summary>At debug level each says a dozen lines a minute at most: together more than the kernel queues (eleven) and less than the agent keeps.</summary>
    private const int DeadServers = 6;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    public async ValueTask InitializeAsync() => await hosts.First.EnsureServingAsync();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact(Timeout = 240_000)]
    public async Task The_journal_has_every_event_with_its_fields_and_standard_error_has_none()
    {
        Assert.SkipUnless(JournalHost.IsPossible, "a journal of one's own needs root and systemd-journald");
        await using var journal = await JournalHost.StartAsync();
        using var spool = new TempSpool();
        await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "unheard", "unheard", pattern: "only.this");
        var configuration = new AgentConfiguration(spool.Path)
            .WithServer("mq1", hosts.First, hosts.Name, "unheard", server => server["unroutable"] = "park")
            .WithServer("mq2", "127.0.0.1", FreePort.Next(), "/", "satellite");
        using var agent = AgentProcess.Start(configuration, environment: null, inside: null, journal.AsService);
        await AwaitAsync(journal, "QUICKQ_EVENT=Connected");

        var id = (await new SpoolCommand(spool).RunAsync("add", "-t", "nobody.wants.it", "{}")).MustSucceed().Stdout.Trim();
        var rejected = await AwaitAsync(journal, "QUICKQ_EVENT=MessageRejected");
        configuration.Root["logLevel"] = "lo\nud";
        configuration.Write();
        agent.Reload();
        var refused = await AwaitAsync(journal, "QUICKQ_EVENT=ReloadRefused");
        Assert.Equal(0, await agent.StopAsync());
        var last = await AwaitAsync(journal, "QUICKQ_EVENT=Stopped");

        Assert.Equal(("mq1", id, "4", "quickq-agent"),
            (Field(rejected, "QUICKQ_SERVER"), Field(rejected, "QUICKQ_MESSAGE_ID"), Field(rejected, "PRIORITY"), Field(rejected, "SYSLOG_IDENTIFIER")));
        Assert.Equal($"mq1: message {id} is rejected: {Field(rejected, "QUICKQ_REASON")}", Field(rejected, "MESSAGE"));
        Assert.Equal("journal", Field(rejected, "_TRANSPORT"));
        Assert.Equal($"{agent.Pid}", Field(rejected, "_PID"));
        Assert.Contains("not 'lo\\nud'", Field(refused, "QUICKQ_REASON"), StringComparison.Ordinal);
        Assert.Contains("not 'lo\\nud'", Field(refused, "MESSAGE"), StringComparison.Ordinal);

        // A message id finds all of its kind and nothing else.
        Assert.Equal(Field(last, "__CURSOR"), Field(Assert.Single(await journal.ReadAsync($"MESSAGE_ID={Field(last, "MESSAGE_ID")}")), "__CURSOR"));
        Assert.Equal("mq2", Field(await AwaitAsync(journal, "QUICKQ_EVENT=ConnectFailed"), "QUICKQ_SERVER"));
        Assert.Empty(await journal.ReadAsync("_TRANSPORT=stdout", $"_PID={agent.Pid}"));
    }

    [Fact(Timeout = 240_000)]
    public async Task A_journal_that_stopped_reading_holds_up_nothing()
    {
        Assert.SkipUnless(JournalHost.IsPossible, "a journal of one's own needs root and systemd-journald");
        await using var journal = await JournalHost.StartAsync();
        using var spool = new TempSpool();
        await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "satellite");
        var configuration = new AgentConfiguration(spool.Path).WithServer("mq1", hosts.First, hosts.Name, "satellite");
        configuration.Root["logLevel"] = "debug";
        foreach (var dead in Enumerable.Range(0, DeadServers))
        {
            configuration.WithServer($"dead{dead}", "127.0.0.1", FreePort.Next(), "/", "satellite");
        }

        await journal.PauseAsync();
        using var agent = AgentProcess.Start(configuration, environment: null, inside: null, journal.AsService);
        await spool.AwaitServersAsync(Limit);
        (await new SpoolCommand(spool).RunAsync("add", "-t", "a.b", "{}")).MustSucceed();
        await spool.AwaitDeliveredAsync(1, Limit, "mq1");

        // Far more lines than the kernel queues; none of them is missing afterwards.
        journal.Resume();
        foreach (var dead in Enumerable.Range(0, DeadServers))
        {
            await AwaitAsync(journal, "QUICKQ_EVENT=ConnectFailed", $"QUICKQ_SERVER=dead{dead}");
        }

        Assert.Equal(0, await agent.StopAsync());
        await AwaitAsync(journal, "QUICKQ_EVENT=Stopped");
        Assert.Empty(await journal.ReadAsync("QUICKQ_EVENT=JournalLost"));
    }

    private static async Task<JsonElement> AwaitAsync(JournalHost journal, params string[] matches)
    {
        IReadOnlyList<JsonElement> found = [];
        await Eventually.Is($"the journal has {string.Join(' ', matches)}", Limit, async () => (found = await journal.ReadAsync(matches)).Count > 0);
        return found[^1];
    }

    private static string Field(JsonElement record, string name) => record.GetProperty(name).GetString()!;
}
