using System.Diagnostics;
using Quickq.Spool.Files;
using Quickq.SpoolCli.Tests.Program;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Service;

/// <summary><c>w</c> and <c>c</c>: what became of messages, without asking again and again.</summary>
public sealed class ServiceWaitTests : IDisposable
{
    private readonly TempSpool _spool = new();

    public void Dispose() => _spool.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task A_wait_ends_with_the_last_delivery()
    {
        await _spool.AddServersAsync("mq1", "mq2");
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Add(("m1", "x"));
        client.ReadAnswer();
        client.Send('w', """{"ids":["m1"],"timeout":100}""");
        client.Send('s', """{"ids":[]}""");

        _spool.Settle("m1", "mq1", "delivered");
        _spool.Settle("m1", "mq2", "delivered");

        var answer = client.ReadAnswer();
        Assert.Equal("delivered", answer.GetProperty("outcome").GetString());
        Assert.Equal("mq1", answer.GetProperty("messages")[0].GetProperty("deliveries")[0].GetProperty("server").GetString());
        Assert.Equal("""{"messages":[]}""", client.ReadAnswer().GetRawText());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_wait_says_never_when_a_server_will_not_have_it_and_waiting_when_the_time_is_over()
    {
        await _spool.AddServersAsync("mq1", "mq2");
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Add(("m1", "x"), ("m2", "x"));
        client.ReadAnswer();
        _spool.Settle("m1", "mq1", "rejected", "too large");
        _spool.Settle("m2", "mq1", "delivered");

        Assert.Equal("never", Wait(client, """{"ids":["m1"]}"""));
        Assert.Equal("waiting", Wait(client, """{"ids":["m2"],"timeout":0}"""));
        Assert.Equal("waiting", Wait(client, """{"ids":["m2"],"timeout":0.2}"""));
        Assert.Equal("delivered", Wait(client, """{"ids":["m2"],"servers":["mq1"],"timeout":30}"""));

        // No agent runs, so nobody is connected: that is known at once.
        Assert.Equal("waiting", Wait(client, """{"ids":["m2"],"servers":"connected"}"""));
    }

    [Fact(Timeout = 120_000)]
    public async Task What_is_asked_behind_an_add_sees_what_it_stored_however_long_that_took()
    {
        await _spool.AddServersAsync("mq1");
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        using var other = service.Connect();
        using (var holder = ChildProcess.Start("flock", [_spool.Path + ".lock", "sh", "-c", "echo held; read line"]))
        {
            await Eventually.Is("the lock is held", TimeSpan.FromSeconds(30), () => holder.Stdout.Contains("held", StringComparison.Ordinal));
            client.Add(("m1", "x"));
            client.Send('w', """{"ids":["m1"],"timeout":0}""");
            client.Send('s', """{"ids":["m1"]}""");

            // By then the service has looked for whatever it looks for too early.
            Assert.Equal("waiting", Wait(other, """{"ids":[],"timeout":0.3}"""));
        }

        Assert.Equal(1, client.ReadAnswer().GetProperty("stored").GetInt32());
        Assert.Equal("waiting", client.ReadAnswer().GetProperty("outcome").GetString());
        Assert.Equal("m1", client.ReadAnswer().GetProperty("messages")[0].GetProperty("id").GetString());
    }

    [Theory(Timeout = 120_000)]
    [InlineData("""{"ids":["unknown"]}""", 66)]
    [InlineData("""{"ids":["m1"],"servers":["mq9"]}""", 66)]
    [InlineData("""{"ids":["m1"],"servers":"all"}""", 64)]
    [InlineData("""{"ids":["m1"],"timeout":-1}""", 64)]
    [InlineData("""{"ids":null}""", 64)]
    [InlineData("""[]""", 64)]
    public async Task What_nobody_can_wait_for_is_an_error(string request, int code)
    {
        await _spool.AddServersAsync("mq1");
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Add(("m1", "x"));
        client.ReadAnswer();
        client.Send('w', request);
        Assert.Equal(code, client.ReadError().Code);
    }

    [Fact(Timeout = 120_000)]
    public async Task The_watching_thread_stays_for_the_next_wait()
    {
        await _spool.AddServersAsync("mq1");
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Add(("m1", "x"));
        client.ReadAnswer();

        var threads = new HashSet<string>(StringComparer.Ordinal);
        for (int number = 0; number < 20; number++)
        {
            Assert.Equal("waiting", Wait(client, """{"ids":["m1"],"timeout":0}"""));
            threads.UnionWith(Threads(service, "waits"));
        }

        Assert.Single(threads);
        client.Send('w', """{"ids":["m1"],"timeout":100}""");
        _spool.Settle("m1", "mq1", "delivered");
        Assert.Equal("delivered", client.ReadAnswer().GetProperty("outcome").GetString());
    }

    [Fact(Timeout = 120_000)]
    public async Task The_watching_thread_ends_some_time_after_the_last_wait()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        var client = service.Connect();
        client.Add(("m1", "x"));
        client.ReadAnswer();
        client.Send('w', """{"ids":["m1"]}""");
        await Eventually.Is("it watches", TimeSpan.FromSeconds(30), () => Threads(service, "waits").Any());
        client.Dispose();
        await Eventually.Is("it watches no more", TimeSpan.FromSeconds(30), () => !Threads(service, "waits").Any());
    }

    [Fact(Timeout = 120_000)]
    public async Task Connections_are_those_of_the_agent()
    {
        await _spool.AddServersAsync("mq1");
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Send('c', "{}");
        var answer = client.ReadAnswer();
        Assert.False(answer.GetProperty("agent").GetProperty("running").GetBoolean());
        Assert.Equal("disconnected", answer.GetProperty("servers")[0].GetProperty("connection").GetString());
        Assert.True(answer.GetProperty("servers")[0].GetProperty("active").GetBoolean());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_wait_for_the_connected_servers_is_over_when_they_have_what_they_take_now()
    {
        await _spool.AddServersAsync("mq1", "mq2");
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        using var agent = AgentLock.TryTake(_spool.Path, out _);
        _spool.Execute("UPDATE server SET connection = 'connected' WHERE name = 'mq1'");
        client.Add(("m1", "x"), ("m2", "x"), ("m3", "x"));
        client.ReadAnswer();
        _spool.Execute("DELETE FROM delivery WHERE server = (SELECT id FROM server WHERE name = 'mq1') AND message = (SELECT seq FROM message WHERE id = 'm1')");
        _spool.Settle("m2", "mq1", "deferred", "full");

        // m1 is for mq2 alone, m2 is refused for now; only m3 is worth waiting for.
        Assert.Equal("waiting", Wait(client, """{"ids":["m1","m2"],"servers":"connected"}"""));
        client.Send('w', """{"ids":["m1","m2","m3"],"servers":"connected"}""");
        _spool.Settle("m3", "mq1", "delivered");
        Assert.Equal("waiting", client.ReadAnswer().GetProperty("outcome").GetString());
    }

    private static string? Wait(ServiceClient client, string request)
    {
        client.Send('w', request);
        return client.ReadAnswer().GetProperty("outcome").GetString();
    }

    private static IEnumerable<string> Threads(ServeProcess service, string name) =>
        Directory.GetDirectories($"/proc/{service.Child.Pid}/task").Where(thread => File.Exists(thread + "/comm") && string.Equals(File.ReadAllText(thread + "/comm").Trim(), name, StringComparison.Ordinal));
}
