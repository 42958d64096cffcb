using System.Text;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Service;

/// <summary>Commands that the service runs for a peer.</summary>
public sealed class ServiceRunTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly TempSpool _spool = new();

    public void Dispose() => _spool.Dispose();

    [Fact(Timeout = 180_000)]
    public async Task A_command_has_its_streams_and_its_exit_code_and_the_next_request_its_turn()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Send('r', """{"arguments":["add","--lines","-t","a"]}""");
        client.Send('d', [0, .. Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 500).Select(i => $"line {i}\n")))]);
        client.Send('d', [0]);
        client.Send('s', """{"ids":["unknown"]}""");
        Assert.Equal(500, client.ReadCommand().MustSucceed().Lines.Count);
        Assert.Equal("""{"messages":[null]}""", client.ReadAnswer().GetRawText());

        Assert.Equal(500, client.Run("list", "--limit", "1000", "--json").MustSucceed().Lines.Count);
        Assert.Equal(64, client.Run("lst").ExitCode);
        var unknown = client.Run("show", "nowhere");
        Assert.Equal(66, unknown.ExitCode);
        Assert.Contains("nowhere", unknown.Stderr, StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("status", "--spool", "/etc/passwd")]
    [InlineData("status", "--spool=/etc/passwd")]
    [InlineData("status", "--socket", "/tmp/s")]
    [InlineData("status", "--direct")]
    [InlineData("status", "--service")]
    [InlineData("--spool", "/etc/passwd", "status")]
    [InlineData("add", "--file", "/etc/passwd")]
    [InlineData("add", "--lines", "--file=/etc/passwd")]
    [InlineData("import", "--file", "/etc/passwd")]
    public async Task No_path_that_a_peer_names_is_opened(params string[] arguments)
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Add(("m1", "x"));
        client.ReadAnswer();
        Assert.Equal(64, client.Run(arguments).ExitCode);
        Assert.Equal(1, _spool.Value<long>("SELECT count(*) FROM message"));
    }

    [Fact(Timeout = 120_000)]
    public async Task Serve_is_not_run()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Send('r', """{"arguments":["serve"]}""");
        Assert.Equal(64, client.ReadError().Code);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_command_ends_when_its_caller_leaves()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using (var client = service.Connect())
        {
            client.Add(("m1", "x"));
            client.ReadAnswer();
            client.Send('r', """{"arguments":["wait","m1"]}""");
            await Eventually.Is("the command runs", Limit, () => CommandsOf(service).Count == 1);
        }

        await Eventually.Is("the command has ended", Limit, () => CommandsOf(service).Count == 0);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_signal_reaches_the_command()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Add(("m1", "x"));
        client.ReadAnswer();
        client.Send('r', """{"arguments":["wait","m1"]}""");
        await Eventually.Is("the command runs", Limit, () => CommandsOf(service).Count == 1);
        client.Send('k', [15]);
        Assert.Equal(143, client.ReadCommand().ExitCode);
    }

    [Fact(Timeout = 180_000)]
    public async Task Sixteen_commands_run_at_once_and_one_more_is_refused()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        var clients = Enumerable.Range(0, 17).Select(_ => service.Connect()).ToList();
        clients[0].Add(("m1", "x"));
        clients[0].ReadAnswer();
        foreach (var client in clients.Take(16))
        {
            client.Send('r', """{"arguments":["wait","m1"]}""");
        }

        await Eventually.Is("sixteen commands run", Limit, () => CommandsOf(service).Count == 16);
        clients[16].Send('r', """{"arguments":["status"]}""");
        Assert.Equal(75, clients[16].ReadError().Code);

        clients[3].Dispose();
        await Eventually.Is("another command is run", Limit, () =>
        {
            clients[16].Send('r', """{"arguments":["status"]}""");
            return clients[16].ReadEnd() is ('j', _);
        });
        clients.ForEach(client => client.Dispose());
    }

    [Fact(Timeout = 180_000)]
    public async Task Output_that_is_not_read_waits_and_none_is_lost()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        var bodies = string.Concat(Enumerable.Repeat("0123456789", 100_000));
        client.Add([.. Enumerable.Range(0, 8).Select(i => ($"m{i}", bodies))]);
        client.ReadAnswer();
        var before = service.ResidentBytes;

        client.Send('r', """{"arguments":["export"]}""");
        await Eventually.Is("the command runs", Limit, () => CommandsOf(service).Count == 1);
        using (var other = service.Connect())
        {
            other.Add(("other", "x"));
            other.ReadAnswer();
        }

        var exported = client.ReadCommand().MustSucceed();
        Assert.True(exported.Stdout.Length > 8_000_000);
        Assert.True(service.ResidentBytes - before < 32 * 1024 * 1024, $"{service.ResidentBytes:N0} bytes, {before:N0} before");
    }

    /// <summary>The processes that the service has started.</summary>
    internal static IReadOnlyList<int> CommandsOf(ServeProcess service) => CommandsOf(service.Child.Pid);

    internal static IReadOnlyList<int> CommandsOf(int service) =>
        [.. Directory.EnumerateDirectories($"/proc/{service}/task").SelectMany(thread => ReadChildren(thread + "/children"))];

    internal static bool IsAlive(int pid)
    {
        try
        {
            return !File.ReadAllText($"/proc/{pid}/stat").Contains(") Z ", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static IEnumerable<int> ReadChildren(string file)
    {
        try
        {
            return File.ReadAllText(file).Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse).ToList();
        }
        catch (IOException)
        {
            return []; // the thread has just ended
        }
    }
}
