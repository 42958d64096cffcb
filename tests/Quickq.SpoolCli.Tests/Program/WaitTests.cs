using System.Diagnostics;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary><c>wait</c> and <c>add --wait</c>; the test settles in the agent's place.</summary>
public sealed class WaitTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private readonly TempSpool _spool = new();
    private readonly SpoolCommand _quickq;

    public WaitTests() => _quickq = new SpoolCommand(_spool);

    public void Dispose() => _spool.Dispose();

    [Fact(Timeout = 60_000)]
    public async Task It_ends_with_0_when_the_last_server_has_the_last_message()
    {
        await AddAsync("m1", "m2");
        _spool.Settle("m1", "mq1", "delivered");
        _spool.Settle("m1", "mq2", "delivered");
        _spool.Settle("m2", "mq1", "delivered");
        using var waiting = _quickq.Start("wait", "m1", "m2");
        Assert.False(waiting.HasExited);

        _spool.Settle("m2", "mq2", "delivered");

        Assert.Equal(0, await waiting.WaitForExitAsync(Limit));
        Assert.Equal(("", ""), (waiting.Stdout, waiting.Stderr));
    }

    [Theory(Timeout = 60_000)]
    [InlineData("rejected")]
    [InlineData("expired")]
    [InlineData("cancelled")]
    public async Task It_ends_with_69_when_one_ends_otherwise(string state)
    {
        await AddAsync("m1");
        _spool.Settle("m1", "mq1", "delivered");
        _spool.Settle("m1", "mq2", state, "too large");

        var result = await _quickq.RunAsync("wait", "m1");

        Assert.Equal(69, result.ExitCode);
        Assert.Equal("", result.Stdout);
        Assert.StartsWith($"quickq-spool: m1: mq2: {state} (too large)\n", result.Stderr, StringComparison.Ordinal);
    }

    [Theory(Timeout = 60_000)]
    [InlineData("0")]
    [InlineData("300ms")]
    public async Task It_ends_with_75_when_the_time_is_over_and_says_what_is_missing(string timeout)
    {
        await AddAsync("m1");
        _spool.Settle("m1", "mq1", "delivered");
        var clock = Stopwatch.StartNew();

        var result = await _quickq.RunAsync("wait", "m1", "--timeout", timeout);

        Assert.Equal(75, result.ExitCode);
        Assert.StartsWith("quickq-spool: m1: mq2: pending\n", result.Stderr, StringComparison.Ordinal);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_server_that_is_no_longer_configured_is_left_out()
    {
        await AddAsync("m1");
        _spool.Settle("m1", "mq1", "delivered");
        _spool.Execute("UPDATE server SET active = 0 WHERE name = 'mq2'");
        Assert.Equal(0, (await _quickq.RunAsync("wait", "m1", "--timeout", "0")).ExitCode);
    }

    /// <summary>A server that was renamed in the configuration: nobody has the message, or not everybody.</summary>
    [Theory(Timeout = 60_000)]
    [InlineData("pending", "pending", "m1: mq1 (not configured): pending")]
    [InlineData("delivered", "held", "m1: mq2 (not configured): held")]
    public async Task A_server_under_another_name_does_not_count_as_delivered(string first, string second, string says)
    {
        await AddAsync("m1");
        _spool.Settle("m1", "mq1", first);
        _spool.Settle("m1", "mq2", second);
        _spool.Execute($"UPDATE server SET active = 0 WHERE name = 'mq2' OR '{first}' = 'pending'; INSERT INTO server (name) VALUES ('mq2b')");

        var result = await _quickq.RunAsync("wait", "m1", "--timeout", "0");

        Assert.Equal(75, result.ExitCode);
        Assert.Contains(says, result.Stderr, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_message_for_which_no_server_is_known_is_waited_for()
    {
        (await _quickq.RunAsync("add", "--id", "m1", "x")).MustSucceed();
        var result = await _quickq.RunAsync("wait", "m1", "--timeout", "0");
        Assert.Equal(75, result.ExitCode);
        Assert.Contains("no server is known yet", result.Stderr, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task Add_prints_the_id_before_it_waits_and_gives_the_code_of_the_wait()
    {
        await _spool.AddServersAsync("mq1");
        using var child = _quickq.Start("add", "--id", "m1", "--wait", "x");
        await Eventually.Gives("the id is printed", "m1\n", Limit, () => child.Stdout);
        Assert.False(child.HasExited);

        _spool.Settle("m1", "mq1", "delivered");

        Assert.Equal(0, await child.WaitForExitAsync(Limit));
        Assert.Equal(75, (await _quickq.RunAsync("add", "--id", "m2", "--wait=50ms", "x")).ExitCode);
    }

    [Fact(Timeout = 60_000)]
    public async Task The_word_behind_wait_is_the_message_unless_it_is_a_duration()
    {
        await _spool.AddServersAsync("mq1");
        var refused = await _quickq.RunAsync("add", "--wait", "5s");
        Assert.Equal((64, 0L), (refused.ExitCode, _spool.Messages()));
        using var child = _quickq.Start("add", "--wait", "--", "5s");
        await Eventually.Gives("the message is stored", 1L, Limit, () => _spool.Messages());
        Assert.Equal("5s"u8.ToArray(), _spool.Value<byte[]>("SELECT body FROM message"));
    }

    [Fact(Timeout = 60_000)]
    public async Task Lines_are_waited_for_together()
    {
        await _spool.AddServersAsync("mq1");
        using var child = _quickq.Start("add", "--lines", "--wait=20s");
        await child.Stdin.WriteAsync("a\nb\n");
        child.Stdin.Close();
        await Eventually.Gives("both ids are printed", 2, Limit, () => child.Stdout.Count(c => c == '\n'));

        _spool.Execute("UPDATE delivery SET state = 'delivered'");

        Assert.Equal(0, await child.WaitForExitAsync(Limit));
    }

    private async Task AddAsync(params string[] ids)
    {
        await _spool.AddServersAsync("mq1", "mq2");
        foreach (var id in ids)
        {
            (await _quickq.RunAsync("add", "--id", id, "x")).MustSucceed();
        }
    }
}
