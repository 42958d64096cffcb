using Quickq.Spool.Files;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary><c>status ID</c>, <c>list</c> and <c>show</c> on a spool with two servers.</summary>
public sealed class InspectTests : IDisposable
{
    private readonly TempSpool _spool = new();
    private readonly SpoolCommand _quickq;

    public InspectTests() => _quickq = new SpoolCommand(_spool);

    public void Dispose() => _spool.Dispose();

    [Fact(Timeout = 60_000)]
    public async Task A_message_is_found_by_its_whole_id_or_a_unique_beginning()
    {
        await AddAsync("abc-1", "abc-2", "abc");

        Assert.StartsWith("{\"id\":\"abc-1\"", (await _quickq.RunAsync("status", "abc-1", "--json")).MustSucceed().Stdout, StringComparison.Ordinal);
        Assert.StartsWith("{\"id\":\"abc\"", (await _quickq.RunAsync("status", "abc", "--json")).MustSucceed().Stdout, StringComparison.Ordinal);
        await RefusedAsync(64, "several messages begin with 'ab'", "status", "ab");
        await RefusedAsync(64, "several messages begin with 'abc-'", "show", "abc-");
        await RefusedAsync(66, "there is no message 'x'", "status", "x");
        await RefusedAsync(66, "there is no message ''", "show", "");
        await RefusedAsync(66, "there is no message 'abc-11'", "wait", "abc-11");
        await RefusedAsync(66, "there is no message '%'", "show", "%");
    }

    [Fact(Timeout = 60_000)]
    public async Task An_agent_that_had_no_server_has_run_all_the_same()
    {
        await _spool.CreateAsync();
        Assert.Contains("agent: it has never run on this spool", (await _quickq.RunAsync("status")).MustSucceed().Stdout, StringComparison.Ordinal);
        AgentLock.TryTake(_spool.Path, out _)!.Dispose();
        Assert.Contains("agent: nothing is delivered until it starts", (await _quickq.RunAsync("status")).MustSucceed().Stdout, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task Of_several_ids_those_that_exist_are_told_and_the_code_says_that_one_does_not()
    {
        await AddAsync("a", "b");
        var result = await _quickq.RunAsync("status", "--json", "a", "nowhere", "b");
        Assert.Equal(66, result.ExitCode);
        Assert.Equal(2, result.Lines.Count);
    }

    [Fact(Timeout = 60_000)]
    public async Task Status_of_a_message_has_one_row_per_server()
    {
        await AddAsync("m1");
        _spool.Settle("m1", "mq1", "delivered");
        _spool.Settle("m1", "mq2", "rejected", "404 NOT_FOUND - no exchange");

        var lines = (await _quickq.RunAsync("status", "m1")).MustSucceed().Lines;

        Assert.Equal(3, lines.Count);
        Assert.Matches(@"^m1  mq1     delivered +1  - +2026-01-02 03:04:05Z  127\.0\.0\.1:5672  -$", lines[1]);
        Assert.Matches(@"^m1  mq2     rejected .*404 NOT_FOUND - no exchange$", lines[2]);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_list_is_newest_first_and_obeys_its_filters()
    {
        await _spool.AddServersAsync("mq1", "mq2");
        await AddOneAsync("m1", "geo.goes.g16");
        await AddOneAsync("m2", "geo.himawari.8");
        await AddOneAsync("m3", "leo.noaa.n20");
        _spool.Settle("m1", "mq1", "delivered");
        _spool.Settle("m1", "mq2", "rejected");
        _spool.Settle("m2", "mq1", "delivered");
        _spool.Execute("UPDATE message SET created_at = created_at - 7200 * 1000000 WHERE id = 'm1'");

        Assert.Equal(["m3", "m2", "m1"], await ListAsync());
        Assert.Equal(["m3", "m2"], await ListAsync("--limit", "2"));
        Assert.Equal(["m2", "m1"], await ListAsync("--state", "delivered"));
        Assert.Equal([], await ListAsync("--server", "mq2", "--state", "delivered"));
        Assert.Equal(["m1"], await ListAsync("--server", "mq2", "--state", "rejected"));
        Assert.Equal(["m2", "m1"], await ListAsync("--topic", "geo.#"));
        Assert.Equal(["m1"], await ListAsync("-t", "geo.*.g16"));
        Assert.Equal([], await ListAsync("--topic", "geo"));
        Assert.Equal(["m3", "m2"], await ListAsync("--since", "1h"));
        Assert.Equal(["m1"], await ListAsync("--until", "1h"));
        Assert.Equal([], await ListAsync("--since", "2100-01-01"));
        Assert.Equal(["m3", "m2", "m1"], await ListAsync("--since", "2020-01-01T00:00:00Z", "--until", "2100-01-01 00:00"));
        await RefusedAsync(66, "there is no server 'mq3'; there are mq1, mq2", "list", "--server", "mq3");
    }

    [Fact(Timeout = 60_000)]
    public async Task A_list_for_people_says_when_there_are_more()
    {
        await AddAsync("m1", "m2", "m3");

        var cut = (await _quickq.RunAsync("list", "--limit", "2")).MustSucceed();
        var whole = (await _quickq.RunAsync("list", "--limit", "3")).MustSucceed();

        Assert.Equal(3, cut.Lines.Count);
        Assert.Equal("quickq-spool: only the newest 2 are shown; --limit N shows more\n", cut.Stderr);
        Assert.Equal(4, whole.Lines.Count);
        Assert.Equal("", whole.Stderr);
        Assert.EndsWith("mq1:pending mq2:pending", whole.Lines[1], StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_body_is_shown_byte_for_byte()
    {
        var body = Some.Bytes(100_000);
        (await _quickq.RunWithInputAsync(body, "add", "--id", "m1")).MustSucceed();
        (await Shell.RunAsync(_spool, "\"$q\" show m1 --body > body")).MustSucceed();
        Assert.Equal(body, await File.ReadAllBytesAsync(_spool.File("body")));
    }

    [Fact(Timeout = 60_000)]
    public async Task Show_tells_everything_and_nothing_that_steers_the_terminal()
    {
        await _spool.AddServersAsync("mq1");
        (await _quickq.RunAsync("add", "--id", "m1", "-t", "a.b", "-x", "satellite", "-H", "h=v", "--ttl", "1h", "--priority", "3", "text\e[2J")).MustSucceed();

        var shown = (await _quickq.RunAsync("show", "m1")).MustSucceed().Stdout;

        Assert.All(["m1", "satellite", "a.b", "h=v", "persistent", "application/octet-stream", "8 bytes", "pending", "text\\u001b[2J"], part => Assert.Contains(part, shown, StringComparison.Ordinal));
        Assert.DoesNotContain("\e", shown, StringComparison.Ordinal);
        Assert.Matches("priority +3", shown);
        Assert.Matches("expires +20..-", shown);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_long_body_is_cut_between_characters_and_binary_is_not_shown()
    {
        (await _quickq.RunWithInputAsync(System.Text.Encoding.UTF8.GetBytes("x" + new string('é', 5000)), "add", "--id", "long")).MustSucceed();
        (await _quickq.RunWithInputAsync(new byte[] { 0xFF, 0 }, "add", "--id", "binary")).MustSucceed();

        var cut = (await _quickq.RunAsync("show", "long")).MustSucceed().Stdout;

        Assert.EndsWith("é\n(cut here; --body writes all 10,001 bytes)\n", cut, StringComparison.Ordinal);
        Assert.DoesNotContain("\uFFFD", cut, StringComparison.Ordinal);
        Assert.EndsWith("(the body is not text; --body writes it byte for byte)\n", (await _quickq.RunAsync("show", "binary")).MustSucceed().Stdout, StringComparison.Ordinal);
    }

    private async Task AddAsync(params string[] ids)
    {
        await _spool.AddServersAsync("mq1", "mq2");
        foreach (var id in ids)
        {
            await AddOneAsync(id, "a.b");
        }
    }

    private async Task AddOneAsync(string id, string topic) => (await _quickq.RunAsync("add", "--id", id, "-t", topic, "x")).MustSucceed();

    private async Task<IEnumerable<string>> ListAsync(params string[] filters) =>
        (await _quickq.RunAsync(["list", "--json", .. filters])).MustSucceed().Lines.Select(line => line.Split('"')[3]);

    private async Task RefusedAsync(int code, string says, params string[] arguments)
    {
        var result = await _quickq.RunAsync(arguments);
        Assert.Equal((code, ""), (result.ExitCode, result.Stdout));
        Assert.Contains(says, Assert.Single(result.Stderr.Trim().Split('\n')), StringComparison.Ordinal);
    }
}
