using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary><c>replay</c> and <c>purge</c> on a spool whose three messages mq1 has had since 2026-01-02, and mq2 not yet.</summary>
public sealed class ReplayPurgeTests : IDisposable
{
    private readonly TempSpool _spool = new();
    private readonly SpoolCommand _quickq;

    public ReplayPurgeTests() => _quickq = new SpoolCommand(_spool);

    public void Dispose() => _spool.Dispose();

    [Fact(Timeout = 60_000)]
    public async Task Delivered_messages_are_due_again_at_the_one_server()
    {
        await FillAsync();

        Assert.Equal("3 messages would be due at mq1: 3 again, 0 for the first time\n", await SayAsync("replay", "--server", "mq1", "--dry-run"));
        Assert.Equal("nothing to replay\n", await SayAsync("replay", "--server", "mq1", "--since", "2026-01-03"));
        Assert.Equal("3 messages are due at mq1: 3 again, 0 for the first time\n", await SayAsync("replay", "--server", "mq1", "--since", "2026-01-02", "--until", "2026-01-03"));

        Assert.Equal((3, 0), _spool.Value<(int, int)>("SELECT pending, delivered FROM server WHERE name = 'mq1'"));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_new_server_is_filled_and_one_that_is_not_configured_waits()
    {
        await FillAsync();
        _spool.Execute("INSERT INTO server (name, active) VALUES ('mq3', 0)");

        var result = (await _quickq.RunAsync("replay", "--server", "mq3", "--since", "1h")).MustSucceed();

        Assert.Equal("3 messages are due at mq3: 0 again, 3 for the first time\n", result.Stdout);
        Assert.Equal("quickq-spool: mq3 is not in the agent's configuration: its messages wait until it is back there\n", result.Stderr);
    }

    [Fact(Timeout = 60_000)]
    public async Task Settled_messages_are_removed_and_forgotten()
    {
        await FillAsync();
        _spool.Put("m1", "mq2", "delivered");
        _spool.Put("m2", "mq2", "cancelled");

        Assert.Equal("nothing to remove\n", await SayAsync("purge", "--older-than", "2026-01-02"));
        Assert.Equal("2 messages would be removed\n", await SayAsync("purge", "--older-than", "1h", "--dry-run"));
        Assert.Equal(3, _spool.Messages());
        Assert.Equal("2 messages are removed\n", await SayAsync("purge", "--older-than", "1h"));

        Assert.Equal("m3", _spool.Value<string>("SELECT id FROM message"));
        Assert.Equal(66, (await _quickq.RunAsync("status", "m1")).ExitCode);
        Assert.Contains(" 1 message,", await SayAsync("status"), StringComparison.Ordinal);
    }

    [Theory(Timeout = 60_000)]
    [InlineData("replay --server mq1", "n", 75, "replay 3 messages to mq1? [y/N]")]
    [InlineData("replay --server mq1", "y", 0, "3 messages are due")]
    [InlineData("replay --server mq1 --yes", "", 0, "3 messages are due")]
    [InlineData("purge --older-than 0s", "n", 75, "remove 1 settled message for good? [y/N]")]
    [InlineData("purge --older-than 0s", "y", 0, "1 message is removed")]
    [InlineData("purge --older-than 0s --yes", "", 0, "1 message is removed")]
    public async Task On_a_terminal_they_ask_first(string line, string answer, int code, string says)
    {
        await FillAsync();
        _spool.Put("m1", "mq2", "delivered");

        var result = await Shell.RunAsync(_spool, $"echo '{answer}' | script -qec '\"$q\" {line}' /dev/null");

        Assert.Equal(code, result.ExitCode);
        Assert.Contains(says, result.Stdout, StringComparison.Ordinal);
        Assert.Equal(answer.Length > 0, result.Stdout.Contains("[y/N]", StringComparison.Ordinal));
        Assert.Equal(code != 0, _spool.Value<int>("SELECT count(*) FROM delivery WHERE state = 'delivered'") == 4);
    }

    [Theory(Timeout = 60_000)]
    [InlineData(64, "replay needs the server", "replay")]
    [InlineData(64, "is not a time", "replay --server mq1 --since then")]
    [InlineData(64, "replay takes no arguments: 'm1'", "replay --server mq1 m1")]
    [InlineData(64, "purge needs an age", "purge")]
    [InlineData(64, "is not a time", "purge --older-than 7")]
    [InlineData(66, "there is no server 'mq9'; there are mq1, mq2", "replay --server mq9")]
    [InlineData(66, "neither the folder /no/such", "replay --server mq1 --spool /no/such/spool")]
    [InlineData(66, "neither the folder /no/such", "purge --older-than 1d --spool /no/such/spool")]
    public async Task What_cannot_be_done_changes_nothing(int code, string says, string line)
    {
        await FillAsync();

        var result = await _quickq.RunAsync(line.Split(' '));

        Assert.Equal((code, ""), (result.ExitCode, result.Stdout));
        Assert.Contains(says, Assert.Single(result.Stderr.Trim().Split('\n')), StringComparison.Ordinal);
        Assert.Equal((3, 3), (_spool.Messages(), _spool.Value<int>("SELECT count(*) FROM delivery WHERE state = 'delivered'")));
    }

    private async Task FillAsync()
    {
        await _spool.AddServersAsync("mq1", "mq2");
        foreach (var id in new[] { "m1", "m2", "m3" })
        {
            (await _quickq.RunAsync("add", "--id", id, "x")).MustSucceed();
            _spool.Put(id, "mq1", "delivered");
        }
    }

    private async Task<string> SayAsync(params string[] arguments)
    {
        var result = (await _quickq.RunAsync(arguments)).MustSucceed();
        Assert.Equal("", result.Stderr);
        return result.Stdout;
    }
}
