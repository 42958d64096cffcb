using System.Text;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary><c>add --lines</c>: a message a line, safe and named as the lines come in.</summary>
public sealed class AddLinesTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);
    private readonly TempSpool _spool = new();
    private readonly SpoolCommand _quickq;

    public AddLinesTests() => _quickq = new SpoolCommand(_spool);

    public void Dispose() => _spool.Dispose();

    [Fact(Timeout = 60_000)]
    public async Task All_2000_events_are_stored_in_order_byte_for_byte_under_their_topics()
    {
        var input = await File.ReadAllBytesAsync(SsecEvents.FilePath);

        var result = (await _quickq.RunWithInputAsync(input, "add", "--lines", "-t", "{__topic__}", "-x", "satellite")).MustSucceed();

        var stored = _spool.Query<(string Id, string Key, byte[] Body)>("SELECT id, routing_key, body FROM message ORDER BY seq");
        Assert.Equal(result.Lines, stored.Select(row => row.Id));
        Assert.Equal(SsecEvents.All.Select(captured => captured.Topic), stored.Select(row => row.Key));
        Assert.All(stored.Zip(SsecEvents.All), pair => Assert.Equal(pair.Second.Payload, pair.First.Body));
    }

    [Theory(Timeout = 60_000)]
    [InlineData("a\nb\n", "a|b")]
    [InlineData("a\r\n\n\r\nb", "a|b")]
    [InlineData("a\rb", "a\rb")]
    [InlineData("--lins\n@x\n", "--lins|@x")]
    [InlineData("", "")]
    [InlineData("\n\n", "")]
    public async Task Line_ends_are_cut_and_empty_lines_skipped(string input, string expected)
    {
        var result = (await _quickq.RunWithInputAsync(Encoding.UTF8.GetBytes(input), "add", "--lines")).MustSucceed();
        Assert.Equal(expected, string.Join('|', Bodies()));
        Assert.Equal(expected.Length == 0 ? 0 : expected.Split('|').Length, result.Lines.Count);
    }

    [Fact(Timeout = 60_000)]
    public async Task Lines_come_from_a_file_too()
    {
        (await Shell.RunAsync(_spool, "printf 'a\\nb' > f; \"$q\" add --lines --file f")).MustSucceed();
        Assert.Equal(["a", "b"], Bodies());
    }

    [Fact(Timeout = 60_000)]
    public async Task An_id_comes_out_while_the_input_stays_open()
    {
        using var child = _quickq.Start("add", "--lines");
        for (var i = 1; i <= 3; i++)
        {
            await child.Stdin.WriteAsync("line\n");
            await child.Stdin.FlushAsync();
            var expected = i;
            await Eventually.Gives("an id is printed for each line", expected, Limit, () => child.Stdout.Count(c => c == '\n'));
            Assert.Equal(i, _spool.Messages());
        }

        child.Stdin.Close();
        Assert.Equal(0, await child.WaitForExitAsync(Limit));
    }

    [Theory(Timeout = 60_000)]
    [InlineData("{\"t\":\"a\"}\n\n{\"t\":\"b\"}\nnot json\n{\"t\":\"c\"}\n", "line 4: the message is not JSON")]
    [InlineData("{\"t\":\"a\"}\n{\"t\":\"b\"}\n{\"u\":1}\n", "line 3: the topic needs {t}")]
    [InlineData("{\"t\":\"a\"}\n{\"t\":\"b\"}\nlast", "line 3: the message is not JSON")]
    [InlineData("{\"t\":\"a\"}\n{\"t\":\"b\"}\n{\"t\":\"LONG\"}\n{\"t\":\"c\"}\n", "line 3: the routing key has 300 bytes")]
    public async Task A_bad_line_stops_with_its_number_and_those_before_it_are_stored_and_printed(string input, string says)
    {
        input = input.Replace("LONG", new string('k', 300), StringComparison.Ordinal);

        var result = await _quickq.RunWithInputAsync(Encoding.UTF8.GetBytes(input), "add", "--lines", "-t", "{t}");

        Assert.Equal(65, result.ExitCode);
        Assert.Contains(says, Assert.Single(result.Stderr.Trim().Split('\n')), StringComparison.Ordinal);
        Assert.Equal(["a", "b"], _spool.Query<string>("SELECT routing_key FROM message ORDER BY seq"));
        Assert.Equal(result.Lines, _spool.Query<string>("SELECT id FROM message ORDER BY seq"));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_spool_that_is_full_half_way_says_after_which_line()
    {
        await _spool.CreateAsync();
        _spool.Execute("UPDATE setting SET value = '1000000' WHERE name = 'maxSize'");

        var result = await _quickq.RunWithInputAsync(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(new string('x', 10_000) + "\n", 200))), "add", "--lines");

        Assert.Equal(75, result.ExitCode);
        Assert.InRange(_spool.Messages(), 1, 199);
        Assert.Equal(_spool.Messages(), result.Lines.Count);
        Assert.StartsWith($"quickq-spool: line {result.Lines.Count + 1}: ", result.Stderr, StringComparison.Ordinal);
    }

    [Theory(Timeout = 60_000)]
    [InlineData("TERM")]
    [InlineData("INT")]
    public async Task A_signal_ends_it_with_all_whole_lines_stored_and_printed(string signal)
    {
        using var child = Shell.Start(_spool, "exec \"$q\" add --lines");
        await child.Stdin.WriteAsync("one\ntwo\nunfin");
        await child.Stdin.FlushAsync();
        await Eventually.Gives("two ids are printed", 2, Limit, () => child.Stdout.Count(c => c == '\n'));

        (await Shell.RunAsync(_spool, $"kill -{signal} {child.Pid}")).MustSucceed();

        Assert.Equal(0, await child.WaitForExitAsync(Limit));
        Assert.Equal(["one", "two"], Bodies());
        Assert.Contains("after line 2; 2 messages are stored; an unfinished line was not", child.Stderr, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_signal_under_load_loses_nothing_that_was_read()
    {
        using var child = Shell.Start(_spool, "seq 10000000 | { echo $BASHPID > pid; exec \"$q\" add --lines; }; echo \"exit ${PIPESTATUS[1]}\"");
        await Eventually.Is("some ids are printed", Limit, () => child.Stdout.Length > 50_000);

        (await Shell.RunAsync(_spool, "kill -TERM $(cat pid)")).MustSucceed();

        await child.WaitForExitAsync(Limit);
        var lines = child.Stdout.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("exit 0", lines[^1]);
        Assert.Equal(lines[..^1], _spool.Query<string>("SELECT id FROM message ORDER BY seq"));
        Assert.Equal(Enumerable.Range(1, lines.Length - 1).Select(i => $"{i}"), Bodies());
    }

    [Fact(Timeout = 60_000)]
    public async Task When_nobody_reads_the_ids_any_more_it_stops_with_an_error_and_has_lost_nothing()
    {
        var result = await Shell.RunAsync(_spool, "seq 1000000 2> seq | { \"$q\" add --lines; echo $? >&2; } | head -5 > ids");

        var lines = result.Stderr.Trim().Split('\n');
        Assert.Equal("74", lines[^1]);
        var stored = Bodies();
        Assert.Contains($"stopped after line {stored.Count}; all {stored.Count} messages up to there are stored", lines[0], StringComparison.Ordinal);
        Assert.Equal(Enumerable.Range(1, stored.Count).Select(i => $"{i}"), stored);
        Assert.Equal(await File.ReadAllLinesAsync(_spool.File("ids")), _spool.Query<string>("SELECT id FROM message ORDER BY seq LIMIT 5"));
    }

    private List<string> Bodies() => [.. _spool.Query<byte[]>("SELECT body FROM message ORDER BY seq").Select(Encoding.UTF8.GetString)];
}
