using System.Net.Sockets;
using System.Text;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Service;

/// <summary>Input of a command that the service runs and that is cut off: nothing half is stored, and nobody is told that all went well.</summary>
public sealed class ServiceCutInputTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly TempSpool _spool = new();

    public void Dispose() => _spool.Dispose();

    [Theory(Timeout = 120_000)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Input_that_only_the_end_of_the_connection_ends_is_not_stored(bool leavesAltogether)
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = Begin(service, "FIRST-HALF", "add", "-t", "a");
        if (leavesAltogether)
        {
            client.Dispose();
        }
        else
        {
            client.Socket.Shutdown(SocketShutdown.Send);
            Assert.Equal(137, client.ReadCommand().ExitCode);
        }

        await Eventually.Is("the command has ended", Limit, () => ServiceRunTests.CommandsOf(service).Count == 0);
        Assert.Equal(["x"], Bodies());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_line_that_the_end_of_the_connection_cuts_is_not_stored()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = Begin(service, "whole\nhalf", "add", "--lines", "-t", "a");
        Assert.Equal('d', client.Read().Kind);
        client.Socket.Shutdown(SocketShutdown.Send);
        await Eventually.Is("the command has ended", Limit, () => ServiceRunTests.CommandsOf(service).Count == 0);
        Assert.Equal(["x", "whole"], Bodies());
    }

    [Fact(Timeout = 120_000)]
    public async Task Input_that_has_ended_is_stored_though_the_peer_says_nothing_more()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = Begin(service, "all", "add", "-t", "a");
        client.Send('d', [0]);
        client.Socket.Shutdown(SocketShutdown.Send);
        client.ReadCommand().MustSucceed();
        Assert.Equal(["x", "all"], Bodies());
    }

    [Theory(Timeout = 120_000)]
    [InlineData("half", new[] { "add", "-t", "a" }, new[] { "x" })]
    [InlineData("whole\nhalf", new[] { "add", "--lines", "-t", "a" }, new[] { "x", "whole" })]
    public async Task A_stop_of_the_service_stores_nothing_half_and_says_75(string input, string[] arguments, string[] bodies)
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = Begin(service, input, arguments);
        await Eventually.Is("the command runs", Limit, () => ServiceRunTests.CommandsOf(service).Count == 1);
        if (bodies.Length > 1)
        {
            Assert.Equal('d', client.Read().Kind); // the id of the whole line
        }

        Assert.Equal(0, await service.Child.StopAsync(TimeSpan.FromSeconds(30)));

        var (kind, payload) = client.ReadEnd();
        var text = Encoding.UTF8.GetString(payload);
        Assert.Equal('e', kind);
        Assert.Contains("\"code\":75", text, StringComparison.Ordinal);
        Assert.Contains("the spool service stops", text, StringComparison.Ordinal);
        Assert.Equal(bodies, Bodies());
    }

    [Theory(Timeout = 120_000)]
    [InlineData("close", "add", 75, new[] { "x" })]
    [InlineData("close", "add --lines", 75, new[] { "x" })]
    [InlineData("shutdown(1)", "add", 0, new[] { "x", "half" })]
    public async Task A_command_whose_service_is_gone_stores_nothing_half(string end, string command, int code, string[] bodies)
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = Begin(service, "", "list");

        // The kernel closes the sockets of a killed service before it ends the service's commands.
        var script = $"""
            import os, socket, subprocess, sys
            ours, theirs = socket.socketpair()
            child = subprocess.Popen([sys.argv[1]] + "{command}".split(), stdin=theirs, env=dict(os.environ,
                QUICKQ_SPOOL=sys.argv[2], QUICKQ_CALLER="0 root", QUICKQ_SERVICE_PID=str(os.getpid()), QUICKQ_TERMINALS="000"))
            theirs.close()
            ours.send(b"half")
            ours.{(end is "close" ? "close()" : end)}
            sys.exit(child.wait())
            """;
        using var host = ChildProcess.Start("python3", ["-c", script, BuiltPrograms.SpoolCli, _spool.Path]);
        Assert.Equal(code, await host.WaitForExitAsync(Limit));
        Assert.Equal(bodies, Bodies());
    }

    [Fact(Timeout = 180_000)]
    public async Task One_message_of_more_than_the_largest_is_refused()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = Begin(service, "y", "add", "-t", "a");
        var part = new byte[1024 * 1024];
        for (var sent = 0; sent < 65; sent++)
        {
            client.Send('d', part);
        }

        client.Send('d', [0]);
        var refused = client.ReadCommand();
        Assert.Equal(65, refused.ExitCode);
        Assert.Contains("64 MiB", refused.Stderr, StringComparison.Ordinal);
        Assert.Equal(["x"], Bodies());
    }

    /// <summary>Starts a command on a spool with one message, <c>x</c>, and sends it this much.</summary>
    private static ServiceClient Begin(ServeProcess service, string input, params string[] arguments)
    {
        var client = service.Connect();
        client.Add(("m0", "x"));
        client.ReadAnswer();
        client.Send('r', System.Text.Json.JsonSerializer.Serialize(new { arguments }));
        client.Send('d', [0, .. Encoding.UTF8.GetBytes(input)]);
        return client;
    }

    private List<string> Bodies() => [.. _spool.Query<byte[]>("SELECT body FROM message ORDER BY seq").Select(Encoding.UTF8.GetString)];
}
