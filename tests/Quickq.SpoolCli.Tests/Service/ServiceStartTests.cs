using System.Net.Sockets;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Service;

/// <summary>How the spool service begins and ends: its socket, its lock, systemd.</summary>
public sealed class ServiceStartTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly TempSpool _spool = new();

    public void Dispose() => _spool.Dispose();

    [Fact(Timeout = 180_000)]
    public async Task A_socket_that_a_killed_service_left_is_replaced_and_one_that_is_served_is_not()
    {
        var socket = _spool.File("s.sock");
        using (var killed = ServeProcess.Start(_spool, socket, environment: null))
        {
            await Eventually.Is("it listens", Limit, () => File.Exists(socket));
            killed.Kill();
        }

        Assert.True(File.Exists(socket));
        using var service = ServeProcess.Start(_spool, socket, environment: null);
        await Eventually.Succeeds("it answers", Limit, () => Task.Run(() => AddOne(socket, "m1")));

        using var second = ServeProcess.Start(_spool, socket, environment: null);
        Assert.Equal(75, await second.WaitForExitAsync(Limit));
        AddOne(socket, "m2");

        Assert.Equal(0, await service.StopAsync(Limit));
        Assert.False(File.Exists(socket));
    }

    [Fact(Timeout = 180_000)]
    public async Task Of_several_that_start_at_once_one_serves()
    {
        var socket = _spool.File("s.sock");
        var started = Enumerable.Range(0, 5).Select(_ => ServeProcess.Start(_spool, socket, environment: null)).ToList();
        try
        {
            await Eventually.Is("all but one have ended", Limit, () => started.Count(child => child.HasExited) == 4);
            Assert.All(started.Where(child => child.HasExited), child => Assert.Equal(75, child.ExitCode));
            AddOne(socket, "m1");
        }
        finally
        {
            started.ForEach(child => child.Dispose());
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task An_idle_service_ends_and_takes_its_socket_along()
    {
        using var service = await ServeProcess.StartAsync(_spool, "--idle", "1s");
        using (var client = service.Connect())
        {
            client.Add(("m1", "x"));
            client.ReadAnswer();
        }

        Assert.Equal(0, await service.Child.WaitForExitAsync(Limit));
        Assert.False(File.Exists(service.Socket));
    }

    [Fact(Timeout = 180_000)]
    public async Task A_client_that_comes_while_an_idle_service_ends_is_served_or_finds_no_socket()
    {
        for (var round = 0; round < (Environment.GetEnvironmentVariable("QUICKQ_LONG") is "1" ? 200 : 5); round++)
        {
            using var service = await ServeProcess.StartAsync(_spool, "--idle", "5ms");
            await Task.WhenAll(Enumerable.Range(0, 2).Select(number => Task.Run(() => UseUntilItEndsAsync(service.Socket, $"{round}-{number}"))));
            Assert.Equal(0, await service.Child.WaitForExitAsync(Limit));
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task Systemds_socket_is_used_and_left_alone()
    {
        using var folder = new TempFolder("activation");
        var socket = folder.File("spool.sock");
        using var systemd = ChildProcess.Start("systemd-socket-activate", ["--listen", socket, BuiltPrograms.SpoolCli, "serve", "--spool", _spool.Path],
            Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>().ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value, StringComparer.Ordinal));
        await Eventually.Is("systemd listens", Limit, () => File.Exists(socket));
        AddOne(socket, "m1");
        Assert.Equal(0, await systemd.StopAsync(Limit));
        Assert.True(File.Exists(socket));
    }

    [Fact(Timeout = 120_000)]
    public async Task Systemd_hears_that_it_is_ready_lives_and_stops()
    {
        using var folder = new TempFolder("notify");
        using var systemd = new NotifySocket(folder.File("notify"));
        using var service = await ServeProcess.StartAsync(_spool, new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["NOTIFY_SOCKET"] = systemd.Address,
            ["WATCHDOG_USEC"] = "200000",
        });
        await systemd.AwaitAsync("READY=1", Limit);
        await systemd.AwaitAsync("WATCHDOG=1", Limit, times: 3);
        Assert.Equal(0, await service.Child.StopAsync(Limit));
        await systemd.AwaitAsync("STOPPING=1", Limit);
    }

    /// <summary>Comes and goes at moments around the end of the service; once it is connected it must be served.</summary>
    private static async Task UseUntilItEndsAsync(string socket, string name)
    {
        for (var i = 0; ; i++)
        {
            ServiceClient client;
            try
            {
                client = ServiceClient.Connect(socket);
            }
            catch (SocketException exception) when (exception.SocketErrorCode is SocketError.ConnectionRefused or SocketError.AddressNotAvailable || exception.NativeErrorCode is 2)
            {
                return;
            }

            using (client)
            {
                client.Greet();
                client.Add(($"{name}-{i}", "x"));
                client.ReadAnswer();
            }

            await Task.Delay(Random.Shared.Next(15));
        }
    }

    private static void AddOne(string socket, string id)
    {
        using var client = ServiceClient.Connect(socket);
        client.Greet();
        client.Add((id, "x"));
        client.ReadAnswer();
    }
}
