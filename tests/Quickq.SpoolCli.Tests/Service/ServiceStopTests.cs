using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Service;

/// <summary>What a stop, a freeze and a kill of the service do to what it was asked.</summary>
public sealed class ServiceStopTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly TempSpool _spool = new();

    public void Dispose() => _spool.Dispose();

    [Fact(Timeout = 180_000)]
    public async Task A_stop_answers_what_was_received_and_ends_with_0()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        var acknowledged = new System.Collections.Concurrent.ConcurrentBag<string>();
        using var busy = new CountdownEvent(6);
        var producers = Enumerable.Range(0, 6).Select(number => Task.Run(() => Produce(service, number, acknowledged, busy))).ToList();
        busy.Wait(Limit);

        var code = await service.Child.StopAsync(TimeSpan.FromSeconds(30));
        await Task.WhenAll(producers);

        Assert.Equal(0, code);
        Assert.DoesNotContain("not all requests were finished", service.Child.Stderr, StringComparison.Ordinal);
        Assert.Empty(acknowledged.Except(_spool.Query<string>("SELECT id FROM message"), StringComparer.Ordinal));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_stop_ends_waits_and_commands()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var waits = service.Connect();
        using var runs = service.Connect();
        waits.Add(("m1", "x"));
        waits.ReadAnswer();
        waits.Send('w', """{"ids":["m1"]}""");
        runs.Send('r', """{"arguments":["wait","m1"]}""");
        await Eventually.Is("the command runs", Limit, () => ServiceRunTests.CommandsOf(service).Count == 1);

        Assert.Equal(0, await service.Child.StopAsync(TimeSpan.FromSeconds(30)));

        Assert.Equal(75, waits.ReadError().Code);
        Assert.Equal(75, runs.ReadError().Code);
        Assert.DoesNotContain("not all requests were finished", service.Child.Stderr, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_frozen_service_stores_what_it_received_once_it_goes_on_and_the_repetition_stores_nothing()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var first = service.Connect();
        first.Add(("m0", "x"));
        first.ReadAnswer();
        await service.Child.PauseAsync();
        first.Add(("m1", "x"));
        using var second = ServiceClient.Connect(service.Socket);
        second.Send('h', """{"protocol":1}""");
        second.Add(("m1", "x"));

        service.Child.Resume();

        second.ReadAnswer();
        Assert.Equal(1, first.ReadAnswer().GetProperty("stored").GetInt32() + second.ReadAnswer().GetProperty("stored").GetInt32());
        Assert.Equal(2, _spool.Value<long>("SELECT count(*) FROM message"));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_stop_while_the_spool_is_locked_refuses_what_it_cannot_store()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Add(("m0", "x"));
        client.ReadAnswer();
        using var holder = ChildProcess.Start("flock", [_spool.Path + ".lock", "sh", "-c", "echo held; read line"]);
        await Eventually.Is("the lock is held", Limit, () => holder.Stdout.Contains("held", StringComparison.Ordinal));
        client.Add(("m1", "x"));
        client.Add(("m2", "x"));

        var stopped = service.Child.StopAsync(TimeSpan.FromSeconds(30));

        Assert.Equal(75, client.ReadError().Code);
        Assert.Equal(75, client.ReadError().Code);
        Assert.Equal(0, await stopped);
        holder.Kill();
        Assert.Equal(["m0"], _spool.Query<string>("SELECT id FROM message"));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_killed_service_leaves_no_command_behind()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Add(("m1", "x"));
        client.ReadAnswer();
        client.Send('r', """{"arguments":["wait","m1"]}""");
        await Eventually.Is("the command runs", Limit, () => ServiceRunTests.CommandsOf(service).Count == 1);
        var command = ServiceRunTests.CommandsOf(service).Single();

        service.Child.Kill();

        await Eventually.Is("the command has ended", Limit, () => !ServiceRunTests.IsAlive(command));
    }

    private static void Produce(ServeProcess service, int number, System.Collections.Concurrent.ConcurrentBag<string> acknowledged, CountdownEvent busy)
    {
        using var client = service.Connect();
        try
        {
            for (var i = 0; ; i++)
            {
                client.Add(($"{number}-{i}", "x"));
                client.Add(($"{number}-{i}b", "x"));
                acknowledged.Add(client.ReadAnswer().GetProperty("ids")[0].GetString()!);
                acknowledged.Add(client.ReadAnswer().GetProperty("ids")[0].GetString()!);
                if (i == 20)
                {
                    busy.Signal();
                }
            }
        }
        catch (Exception exception) when (exception is System.Net.Sockets.SocketException or EndOfStreamException)
        {
            // The service has stopped.
        }
    }
}
