using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Service;

/// <summary>Ctrl-C, SIGTERM, and a client that is gone: the command at the service ends as it would here.</summary>
public sealed class InterruptTests : IAsyncLifetime
{
    private const int Interrupt = 2, Terminate = 15;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private readonly SharedSpool _shared = new();

    public async ValueTask InitializeAsync()
    {
        await _shared.StartAsync();
        (await _shared.RunAsync(SharedSpool.Member, "add", "--id", "first", "x")).MustSucceed();
    }

    public ValueTask DisposeAsync()
    {
        _shared.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory(Timeout = 120_000)]
    [InlineData(Interrupt)]
    [InlineData(Terminate)]
    public async Task Add_lines_stores_what_it_has_read_and_ends_with_0(int signal)
    {
        using ChildProcess lines = _shared.Start(SharedSpool.Member, "add", "--lines");
        await lines.Stdin.WriteAsync("a\nb\nhalf");
        await lines.Stdin.FlushAsync();
        await Eventually.Gives("two ids are printed", 2, Limit, () => lines.Stdout.Count(c => c == '\n'));

        lines.Signal(signal);

        Assert.Equal(0, await lines.WaitForExitAsync(Limit));
        Assert.Contains("an unfinished line was not", lines.Stderr, StringComparison.Ordinal);
        Assert.Equal(3, _shared.Spool.Value<int>("SELECT count(*) FROM message"));
    }

    [Theory(Timeout = 120_000)]
    [InlineData(Interrupt)]
    [InlineData(Terminate)]
    public async Task Import_stores_what_it_has_read_and_ends_with_75(int signal)
    {
        using ChildProcess import = _shared.Start(SharedSpool.Operator, "import");
        await import.Stdin.WriteAsync("{\"id\":\"i1\",\"body\":\"\"}\n");
        await import.Stdin.FlushAsync();
        int child = await ChildOfServiceAsync();
        await Eventually.Is("the command has read the line and waits for more", Limit, () => IsWaiting(child, import));

        import.Signal(signal);

        Assert.Equal(75, await import.WaitForExitAsync(Limit));
        Assert.Contains("repeat the import to go on", import.Stderr, StringComparison.Ordinal);
        Assert.Equal(1, _shared.Spool.Value<int>("SELECT count(*) FROM message WHERE id = 'i1'"));
        await NoChildIsLeftAsync();
    }

    [Theory(Timeout = 120_000)]
    [InlineData(Interrupt)]
    [InlineData(Terminate)]
    public async Task A_watch_ends_with_0_and_leaves_no_child(int signal)
    {
        using ChildProcess watch = _shared.Start(SharedSpool.Member, "status", "--watch=100ms");
        await Eventually.Is("the status was shown twice", Limit, () => watch.Stdout.Split("spool:").Length > 2);

        watch.Signal(signal);

        Assert.Equal(0, await watch.WaitForExitAsync(Limit));
        await NoChildIsLeftAsync();
    }

    [Fact(Timeout = 120_000)]
    public async Task A_client_that_is_killed_leaves_no_child()
    {
        using ChildProcess watch = _shared.Start(SharedSpool.Member, "status", "--watch=100ms");
        await ChildOfServiceAsync();
        watch.Kill();
        await NoChildIsLeftAsync();
    }

    [Fact(Timeout = 120_000)]
    public async Task Another_signal_ends_the_client_of_a_service_that_hangs()
    {
        using ChildProcess watch = _shared.Start(SharedSpool.Member, "status", "--watch=100ms");
        await Eventually.Is("the status was shown", Limit, () => watch.Stdout.Contains("spool:", StringComparison.Ordinal));
        await _shared.Service!.PauseAsync();

        // Two that come at the same moment are one to the kernel, so Ctrl-C is pressed until it is heard twice.
        await Eventually.Is("the client has ended", Limit, () =>
        {
            watch.Signal(Interrupt);
            return watch.HasExited;
        });

        Assert.Equal(128 + Interrupt, await watch.WaitForExitAsync(Limit));
        _shared.Service!.Resume();
        await NoChildIsLeftAsync();
    }

    [Fact(Timeout = 120_000)]
    public async Task A_service_that_dies_in_the_middle_is_told()
    {
        using ChildProcess watch = _shared.Start(SharedSpool.Member, "status", "--watch=100ms");
        await Eventually.Is("the status was shown", Limit, () => watch.Stdout.Contains("spool:", StringComparison.Ordinal));

        _shared.Service!.Kill();

        Assert.Equal(75, await watch.WaitForExitAsync(Limit));
        Assert.Contains("the spool service", watch.Stderr, StringComparison.Ordinal);
    }

    private Task NoChildIsLeftAsync() => Eventually.Is("the service has no child", Limit, () => Children().Count == 0);

    private async Task<int> ChildOfServiceAsync()
    {
        await Eventually.Is("the service runs the command", Limit, () => Children().Count == 1);
        return Children()[0];
    }

    private IReadOnlyList<int> Children() => ServiceRunTests.CommandsOf(_shared.Service!.Pid);

    /// <summary>Nothing of the input is on its way: the client has read all, and the command sleeps.</summary>
    private static bool IsWaiting(int child, ChildProcess client) =>
        File.ReadAllText($"/proc/{child}/wchan").Contains("poll", StringComparison.Ordinal) && File.ReadAllText($"/proc/{client.Pid}/wchan").Contains("poll", StringComparison.Ordinal);
}
