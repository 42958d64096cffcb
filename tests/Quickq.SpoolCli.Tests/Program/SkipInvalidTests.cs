using System.Text;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary><c>add --lines --skip-invalid</c>: a line that cannot be stored is named, kept and passed by.</summary>
public sealed class SkipInvalidTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);
    private readonly TempSpool _spool = new();
    private readonly SpoolCommand _quickq;

    public SkipInvalidTests() => _quickq = new SpoolCommand(_spool);

    public void Dispose() => _spool.Dispose();

    [Fact(Timeout = 60_000)]
    public async Task Each_bad_line_is_named_and_kept_byte_for_byte_and_the_others_are_stored_in_order()
    {
        var longKey = new string('k', 300);
        byte[] input =
        [
            .. "{\"t\":\"a\"}\n\nnot json\r\n{\"u\":1}\n{\"t\":\"b\"}\r\n{\"t\":\""u8, .. Encoding.ASCII.GetBytes(longKey), .. "\"}\n"u8, 0xff, .. "\0\t\r\r\n{\"t\":\"c\"}\n{\"t\":["u8,
        ];

        var result = await _quickq.RunWithInputAsync(input, "add", "--lines", "-t", "{t}", $"--skip-invalid={_spool.File("bad")}");

        Assert.Equal(65, result.ExitCode);
        Assert.Equal(["a", "b", "c"], _spool.Query<string>("SELECT routing_key FROM message ORDER BY seq"));
        Assert.Equal(result.Lines, _spool.Query<string>("SELECT id FROM message ORDER BY seq"));
        byte[] kept = [.. "not json\r\n{\"u\":1}\n"u8, .. "{\"t\":\""u8, .. Encoding.ASCII.GetBytes(longKey), .. "\"}\n"u8, 0xff, .. "\0\t\r\r\n{\"t\":["u8];
        Assert.Equal(kept, await File.ReadAllBytesAsync(_spool.File("bad")));
        Assert.Collection(
            result.Stderr.TrimEnd('\n').Split('\n'),
            first => Assert.StartsWith("quickq-spool: skipped line 3: the message is not JSON", first, StringComparison.Ordinal),
            second => Assert.StartsWith("quickq-spool: skipped line 4: the topic needs {t}", second, StringComparison.Ordinal),
            third => Assert.StartsWith("quickq-spool: skipped line 6: the routing key has 300 bytes", third, StringComparison.Ordinal),
            fourth => Assert.StartsWith("quickq-spool: skipped line 7: the message is not JSON", fourth, StringComparison.Ordinal),
            fifth => Assert.StartsWith("quickq-spool: skipped line 9: the message is not JSON", fifth, StringComparison.Ordinal),
            sum => Assert.Equal($"quickq-spool: 3 messages stored, 5 lines skipped; kept in {_spool.File("bad")}", sum));
    }

    [Fact(Timeout = 120_000)]
    public async Task Lines_that_the_spool_refuses_are_passed_by_wherever_they_are()
    {
        await _spool.CreateAsync();
        _spool.Execute("UPDATE setting SET value = '100' WHERE name = 'maxMessageSize'");
        int[] large = [1, 2, 250, 251, 252, 600, 1000];
        var lines = Enumerable.Range(1, 1000).Select(n => $"{n}{(large.Contains(n) ? new string('x', 100) : "")}\n").ToList();

        var result = await _quickq.RunWithInputAsync(Encoding.UTF8.GetBytes(string.Concat(lines)), "add", "--lines", $"--skip-invalid={_spool.File("bad")}");

        Assert.Equal(65, result.ExitCode);
        Assert.Equal(Enumerable.Range(1, 1000).Except(large).Select(n => $"{n}"), Bodies());
        Assert.Equal(result.Lines, _spool.Query<string>("SELECT id FROM message ORDER BY seq"));
        Assert.Equal(string.Concat(large.Select(n => lines[n - 1])), await File.ReadAllTextAsync(_spool.File("bad")));
        Assert.Equal(large.Length + 1, result.Stderr.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Contains("993 messages stored, 7 lines skipped", result.Stderr, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task Without_a_file_they_are_only_named()
    {
        var result = await _quickq.RunWithInputAsync("[1\n[2]\n"u8.ToArray(), "add", "--json", "--skip-invalid", "--lines");
        Assert.Equal((65, 1), (result.ExitCode, result.Lines.Count));
        Assert.EndsWith("quickq-spool: 1 message stored, 1 line skipped\n", result.Stderr, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task Nothing_is_said_where_every_line_is_stored_and_the_file_is_the_callers_alone()
    {
        var result = await _quickq.RunWithInputAsync("[1]\n"u8.ToArray(), "add", "--json", "--lines", $"--skip-invalid={_spool.File("bad")}");
        Assert.Equal((0, ""), (result.ExitCode, result.Stderr));
        Assert.Equal(0, new FileInfo(_spool.File("bad")).Length);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_spool.File("bad")));
    }

    [Fact(Timeout = 60_000)]
    public async Task What_was_kept_before_stays_and_an_unended_line_is_not_joined_to_the_next()
    {
        var result = await Shell.RunAsync(_spool, "printf '[1' | \"$q\" add --json --lines --skip-invalid=bad; printf '[2\\n' | \"$q\" add --json --lines --skip-invalid=bad");
        Assert.Equal(65, result.ExitCode);
        Assert.Equal("[1\n[2\n", await File.ReadAllTextAsync(_spool.File("bad")));
    }

    [Theory(Timeout = 60_000)]
    [InlineData("add --lines --skip-invalid=no/such/folder < in", 73, "cannot open no/such/folder: No such file or directory")]
    [InlineData("add --lines --skip-invalid=. < in", 73, "cannot open .: Is a directory")]
    [InlineData("add --lines --skip-invalid=in < in", 64, "in is the input itself")]
    [InlineData("add --lines --skip-invalid=in --file in", 64, "in is the input itself")]
    [InlineData("add --lines --skip-invalid=$QUICKQ_SPOOL < in", 64, "belongs to the spool")]
    [InlineData("add --lines --skip-invalid=../$(basename $FOLDER)/$(basename $QUICKQ_SPOOL)-wal < in", 64, "belongs to the spool")]
    [InlineData("add --lines --skip-invalid=$QUICKQ_SPOOL.repair < in", 64, "belongs to the spool")]
    [InlineData("add --lines --skip-invalid=$QUICKQ_SPOOL.reserve < in", 64, "belongs to the spool")]
    [InlineData("add --lines --skip-invalid=out < in > out", 64, "out is standard output")]
    [InlineData("add --lines --skip-invalid=/dev/stdout < in > out", 64, "/dev/stdout is standard output")]
    [InlineData("add --lines --skip-invalid=bad --server mq1,mq2 < in", 64, "--server takes one name, not 'mq1,mq2'")]
    [InlineData("add --lines --skip-invalid=bad --server 'mq 1' < in", 65, "server")]
    [InlineData("add --lines --skip-invalid=bad -x $(printf '%0300d' 0) < in", 65, "300 bytes")]
    [InlineData("add --lines --skip-invalid=bad -t $(printf '%0300d' 0) < in", 65, "300 bytes")]
    [InlineData("add --lines --skip-invalid= < in", 64, "names no file")]
    [InlineData("add --lines --skip-invalid=- < in", 64, "names no file")]
    [InlineData("add --lines --skip-invalid bad < in", 64, "--skip-invalid takes its value after '=': --skip-invalid=bad")]
    [InlineData("add --skip-invalid < in", 64, "--skip-invalid goes with --lines")]
    [InlineData("add --skip-invalid x", 64, "--skip-invalid takes its value after '='")]
    public async Task A_file_that_cannot_keep_them_is_found_before_anything_is_stored(string command, int code, string says)
    {
        var result = await Shell.RunAsync(_spool, "echo x > in; \"$q\" " + command);
        Assert.Equal((code, ""), (result.ExitCode, result.Stdout));
        Assert.Contains(says, result.Stderr, StringComparison.Ordinal);
        Assert.False(File.Exists(_spool.Path));
    }

    [Theory(Timeout = 60_000)]
    [InlineData("/dev/full", "cannot keep line 2: /dev/full: No space left on device")]
    [InlineData(">(until [ -s ids ]; do sleep 0.01; done; exec <&-; touch gone)", "cannot keep line 2: ")]
    public async Task A_line_that_cannot_be_kept_ends_the_run_with_what_was_taken_stored(string file, string says)
    {
        // The reader of the pipe leaves when the first line is stored.
        var isPipe = file.StartsWith('>');
        var result = await Shell.RunAsync(
            _spool,
            $"{{ printf '[1]\n'; until [ -s ids ]; do sleep 0.01; done; until [ -e gone ] || {(isPipe ? "false" : "true")}; do sleep 0.01; done; printf '[2\n[3]\n[4\n'; seq 1000000; }} "
            + $"| \"$q\" add --json --lines --skip-invalid={file} > ids");
        Assert.Equal(74, result.ExitCode);
        Assert.Contains("skipped line 2: ", result.Stderr, StringComparison.Ordinal);
        Assert.Contains("skipped line 4: ", result.Stderr, StringComparison.Ordinal);
        Assert.Contains(says, result.Stderr, StringComparison.Ordinal);
        Assert.Equal(await File.ReadAllLinesAsync(_spool.File("ids")), _spool.Query<string>("SELECT id FROM message ORDER BY seq"));
        Assert.InRange(_spool.Messages(), 1, 999_999);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_full_spool_ends_the_run_all_the_same()
    {
        await _spool.CreateAsync();
        _spool.Execute("UPDATE setting SET value = '1000000' WHERE name = 'maxSize'");

        var result = await _quickq.RunWithInputAsync(
            Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(1, 200).Select(n => n % 2 == 0 ? "oops\n" : $"\"{new string('x', 20_000)}\"\n"))), "add", "--json", "--lines", $"--skip-invalid={_spool.File("bad")}");

        Assert.Equal(75, result.ExitCode);
        Assert.InRange(_spool.Messages(), 1, 99);
        Assert.Equal(_spool.Messages(), result.Lines.Count);

        // Only what stands before the line that ended it was passed by: the caller begins again there.
        Assert.Equal(result.Lines.Count, (await File.ReadAllLinesAsync(_spool.File("bad"))).Length);
        Assert.Contains($"quickq-spool: line {(result.Lines.Count * 2) + 1}: ", result.Stderr, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_signal_ends_it_with_the_bad_lines_kept_and_the_code_says_that_there_were_some()
    {
        using var child = Shell.Start(_spool, "exec \"$q\" add --json --lines --skip-invalid=bad");
        await child.Stdin.WriteAsync("[1]\n[2\n[3]\nunfin");
        await child.Stdin.FlushAsync();
        await Eventually.Gives("two ids are printed", 2, Limit, () => child.Stdout.Count(c => c == '\n'));

        (await Shell.RunAsync(_spool, $"kill -INT {child.Pid}")).MustSucceed();

        Assert.Equal(65, await child.WaitForExitAsync(Limit));
        Assert.Equal("[2\n", await File.ReadAllTextAsync(_spool.File("bad")));
        Assert.Contains("2 messages stored, 1 line skipped; kept in bad", child.Stderr, StringComparison.Ordinal);
    }

    private List<string> Bodies() => [.. _spool.Query<byte[]>("SELECT body FROM message ORDER BY seq").Select(Encoding.UTF8.GetString)];
}
