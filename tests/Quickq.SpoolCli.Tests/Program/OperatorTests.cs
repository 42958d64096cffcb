using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary><c>retry</c>, <c>hold</c>, <c>release</c> and <c>cancel</c> on a spool with two servers and five messages, m1 to m5.</summary>
public sealed class OperatorTests : IDisposable
{
    private readonly TempSpool _spool = new();
    private readonly SpoolCommand _quickq;

    public OperatorTests() => _quickq = new SpoolCommand(_spool);

    public void Dispose() => _spool.Dispose();

    [Fact(Timeout = 60_000)]
    public async Task Messages_are_named_by_id_or_unique_beginning_at_all_servers_or_one()
    {
        await FillAsync();

        Assert.Equal("2 deliveries of 1 message are now held\n", await SayAsync("hold", "m1"));
        Assert.Equal("2 deliveries of 2 messages are now held\n", await SayAsync("hold", "m2", "m3-l", "m3-long", "--server", "mq2"));
        Assert.Equal("1 delivery of 1 message is now pending\n", await SayAsync("release", "m1", "--server=mq1"));
        Assert.Equal("1 delivery of 1 message is now cancelled\nleft as they are: 1 delivered\n", await SayAsync("cancel", "m4"));

        Assert.Equal(["m1 mq1 pending", "m1 mq2 held", "m2 mq1 pending", "m2 mq2 held", "m3-long mq1 pending", "m3-long mq2 held"], Rows("m1", "m2", "m3-long"));
        Assert.Equal(["m4 mq1 delivered", "m4 mq2 cancelled"], Rows("m4"));
    }

    [Fact(Timeout = 60_000)]
    public async Task What_is_refused_or_expired_is_retried_and_the_rest_left()
    {
        await FillAsync();
        _spool.Put("m1", "mq1", "deferred");
        _spool.Put("m1", "mq2", "rejected");
        _spool.Put("m2", "mq1", "expired");
        _spool.Put("m2", "mq2", "cancelled");

        Assert.Equal("3 deliveries of 2 messages are now pending\nleft as they are: 1 cancelled\n", await SayAsync("retry", "m1", "m2"));
        Assert.Equal("nothing to retry\nleft as they are: 1 cancelled, 3 pending\n", await SayAsync("retry", "m1", "m2"));
    }

    [Fact(Timeout = 60_000)]
    public async Task Messages_are_chosen_by_the_filters_of_list()
    {
        await FillAsync();

        Assert.Equal("3 deliveries of 3 messages are now held\n", await SayAsync("hold", "--server", "mq1", "--topic", "geo.#"));
        Assert.Equal("3 deliveries of 3 messages are now pending\n", await SayAsync("release", "--state", "held"));
        Assert.Equal("2 deliveries of 1 message are now cancelled\n", await SayAsync("cancel", "--limit", "1"));
        Assert.Equal(["m5 mq1 cancelled", "m5 mq2 cancelled"], Rows("m5"));
        Assert.Equal("nothing to cancel\n", await SayAsync("cancel", "--until", "1h"));
        Assert.Equal("7 deliveries of 4 messages are now cancelled\n", await SayAsync("cancel", "--all", "--yes"));
        Assert.Equal("nothing to hold\n", await SayAsync("hold", "--server", "mq1"));
        Assert.Equal("nothing to hold\nleft as they are: 1 delivered\n", await SayAsync("hold", "--state", "delivered"));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_dry_run_tells_and_changes_nothing()
    {
        await FillAsync();
        var before = Rows();

        Assert.Equal("5 deliveries of 5 messages would be cancelled\n", await SayAsync("cancel", "--server", "mq2", "--dry-run"));
        Assert.Equal("2 deliveries of 1 message would be held\n", await SayAsync("hold", "m1", "--dry-run"));

        Assert.Equal(before, Rows());
    }

    [Fact(Timeout = 60_000)]
    public async Task More_messages_than_one_step_takes_are_all_released()
    {
        await _spool.AddServersAsync("mq1");
        (await Shell.RunAsync(_spool, "seq 500 | \"$q\" add --lines > ids")).MustSucceed();
        await SayAsync("hold", "--all");

        Assert.Equal("500 deliveries of 500 messages are now pending\n", await SayAsync("release", "--all"));

        Assert.Equal(500, _spool.Value<int>("SELECT count(*) FROM delivery WHERE state = 'pending'"));
        Assert.Equal(_spool.Value<long>("SELECT min(message) FROM delivery"), _spool.Value<long>("SELECT rewind FROM server"));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_retry_in_a_suspended_exchange_has_it_probed_at_once()
    {
        await FillAsync();
        _spool.Execute("UPDATE server SET exchange = 'satellite'; INSERT INTO suspension (server, exchange, reason, since, next_probe_at) VALUES (2, 'satellite', '404 NOT_FOUND', 1, 4102444800000000)");

        Assert.Equal("nothing to retry\n1 delivery waits for a suspended exchange, which the agent would probe at once\n", await SayAsync("retry", "m1", "--server", "mq2", "--dry-run"));
        Assert.Equal(4102444800000000, _spool.Value<long>("SELECT next_probe_at FROM suspension"));
        Assert.Equal("nothing to retry\n1 delivery waits for a suspended exchange, which the agent probes at once\nleft as they are: 1 pending\n", await SayAsync("retry", "m1"));
        Assert.Equal(0, _spool.Value<long>("SELECT next_probe_at FROM suspension"));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_message_accepted_before_any_server_was_known_is_told_of()
    {
        (await _quickq.RunAsync("add", "--id", "early", "x")).MustSucceed();
        Assert.Equal("nothing to cancel\n1 message has no delivery yet: no server was for it when it was accepted\n", await SayAsync("cancel", "early"));
    }

    [Theory(Timeout = 60_000)]
    [InlineData("n", 75, "nothing was changed", 9)]
    [InlineData("", 75, "nothing was changed", 9)]
    [InlineData("y", 0, "9 deliveries of 5 messages are now cancelled", 0)]
    [InlineData("yes", 0, "9 deliveries of 5 messages are now cancelled", 0)]
    public async Task On_a_terminal_it_asks_before_it_changes_many(string answer, int code, string says, int pending)
    {
        await FillAsync();

        var result = await Shell.RunAsync(_spool, $"echo '{answer}' | script -qec '\"$q\" cancel --all' /dev/null");

        Assert.Equal(code, result.ExitCode);
        Assert.Contains(says, result.Stdout, StringComparison.Ordinal);
        Assert.Contains("quickq-spool: cancel 9 deliveries of 5 messages? [y/N] ", result.Stdout, StringComparison.Ordinal);
        Assert.Equal(pending, _spool.Value<int>("SELECT count(*) FROM delivery WHERE state = 'pending'"));
    }

    [Theory(Timeout = 60_000)]
    [InlineData("cancel --all --yes")]
    [InlineData("cancel --limit 1")]
    [InlineData("cancel m1 m2")]
    [InlineData("cancel --all --dry-run")]
    public async Task On_a_terminal_it_does_not_ask_when_told_yes_or_for_few(string line)
    {
        await FillAsync();
        var result = (await Shell.RunAsync(_spool, $"script -qec '\"$q\" {line}' /dev/null < /dev/null")).MustSucceed();
        Assert.DoesNotContain("[y/N]", result.Stdout, StringComparison.Ordinal);
        Assert.Contains("cancelled", result.Stdout, StringComparison.Ordinal);
    }

    [Theory(Timeout = 60_000)]
    [InlineData(64, "retry needs IDs, or options that choose messages", "retry")]
    [InlineData(64, "either IDs or options that choose messages", "hold m1 --state pending")]
    [InlineData(64, "either IDs or options that choose messages", "hold m1 --all")]
    [InlineData(64, "either IDs or options that choose messages", "hold m1 --limit 1")]
    [InlineData(64, "several messages begin with 'm'", "cancel m")]
    [InlineData(64, "is not a state", "cancel --state gone")]
    [InlineData(64, "is not a time", "cancel --since then")]
    [InlineData(64, "did you mean --dry-run", "cancel --all --dryrun")]
    [InlineData(64, "takes no value", "cancel --all --yes=1")]
    [InlineData(64, "pause needs the name of one server", "pause")]
    [InlineData(64, "resume needs the name of one server", "resume mq1 mq2")]
    [InlineData(66, "there is no message 'm9'", "release m1 m9")]
    [InlineData(66, "there is no server 'mq3'; there are mq1, mq2", "cancel --server mq3")]
    [InlineData(66, "there is no server 'mq3'; there are mq1, mq2", "retry m1 --server mq3")]
    [InlineData(66, "there is no server 'mq3'; there are mq1, mq2", "pause mq3")]
    [InlineData(66, "neither the folder /no/such", "cancel --all --spool /no/such/spool")]
    [InlineData(66, "neither the folder /no/such", "pause mq1 --spool /no/such/spool")]
    public async Task What_cannot_be_done_changes_nothing(int code, string says, string line)
    {
        await FillAsync();
        var before = Rows();

        var result = await _quickq.RunAsync(line.Split(' '));

        Assert.Equal((code, ""), (result.ExitCode, result.Stdout));
        Assert.Contains(says, Assert.Single(result.Stderr.Trim().Split('\n')), StringComparison.Ordinal);
        Assert.Equal(before, Rows());
    }

    [Fact(Timeout = 60_000)]
    public async Task A_paused_server_is_shown_as_such_until_it_is_resumed()
    {
        await FillAsync();

        Assert.Equal("", await SayAsync("pause", "mq1"));
        Assert.Equal("", await SayAsync("pause", "mq1"));
        Assert.Contains("mq1: paused by an operator: 'quickq-spool resume mq1'\n", await SayAsync("status"), StringComparison.Ordinal);
        Assert.Contains("\"name\":\"mq1\",\"active\":true,\"paused\":true,", await SayAsync("status", "--json"), StringComparison.Ordinal);

        Assert.Equal("", await SayAsync("resume", "mq1"));
        Assert.DoesNotContain("paused by", await SayAsync("status"), StringComparison.Ordinal);
    }

    /// <summary>m1 to m3 under geo, m4 and m5 under leo; mq1 has m4.</summary>
    private async Task FillAsync()
    {
        await _spool.AddServersAsync("mq1", "mq2");
        foreach (var (id, topic) in new[] { ("m1", "geo.goes"), ("m2", "geo.himawari"), ("m3-long", "geo"), ("m4", "leo.noaa"), ("m5", "leo") })
        {
            (await _quickq.RunAsync("add", "--id", id, "-t", topic, "x")).MustSucceed();
        }

        _spool.Put("m4", "mq1", "delivered");
    }

    private async Task<string> SayAsync(params string[] arguments)
    {
        var result = (await _quickq.RunAsync(arguments)).MustSucceed();
        Assert.Equal("", result.Stderr);
        return result.Stdout;
    }

    private IReadOnlyList<string> Rows(params string[] ids) => _spool.Query<string>(
        $"""
        SELECT m.id || ' ' || s.name || ' ' || d.state FROM delivery AS d JOIN message AS m ON m.seq = d.message JOIN server AS s ON s.id = d.server
        WHERE {ids.Length} = 0 OR m.id IN ('{string.Join("','", ids)}') ORDER BY m.seq, s.name
        """);
}
