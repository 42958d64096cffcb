using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary>Streams that are closed, broken, full or a terminal.</summary>
public sealed class StreamTests : IDisposable
{
    private readonly TempSpool _spool = new();

    public void Dispose() => _spool.Dispose();

    [Fact(Timeout = 60_000)]
    public async Task An_id_that_cannot_be_printed_is_told_on_standard_error()
    {
        var result = await Shell.RunAsync(_spool, "\"$q\" add x > /dev/full");
        Assert.Equal(74, result.ExitCode);
        Assert.Contains($"the message is stored, its id is {_spool.Value<string>("SELECT id FROM message")}", result.Stderr, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_closed_standard_output_is_an_error_and_never_becomes_one_of_our_files()
    {
        var result = await Shell.RunAsync(_spool, "\"$q\" add x >&-");
        Assert.Equal(74, result.ExitCode);
        Assert.Contains("the message is stored", result.Stderr, StringComparison.Ordinal);
        Assert.Equal(0, new FileInfo(_spool.Path + ".lock").Length);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_closed_standard_input_is_an_error_and_no_empty_message()
    {
        Assert.SkipWhen(File.Exists(BuiltPrograms.SpoolCli + ".dll"), "the just-in-time runtime itself opens files under the free number");
        var result = await Shell.RunAsync(_spool, "\"$q\" add <&-");
        Assert.Equal(74, result.ExitCode);
        Assert.Equal(0, _spool.Messages());
    }

    [Fact(Timeout = 60_000)]
    public async Task With_standard_error_closed_the_code_still_gets_through()
    {
        var result = await Shell.RunAsync(_spool, "\"$q\" add --lins 2>&-");
        Assert.Equal(64, result.ExitCode);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_reader_that_has_enough_of_a_list_is_no_error()
    {
        (await Shell.RunAsync(_spool, "seq 3000 | \"$q\" add --lines > ids")).MustSucceed();
        var result = await Shell.RunAsync(_spool, "set -o pipefail; \"$q\" list --json --limit 3000 | head -1 | wc -l");
        Assert.Equal((0, "1\n", ""), (result.ExitCode, result.Stdout, result.Stderr));
    }

    [Fact(Timeout = 60_000)]
    public async Task On_a_terminal_it_says_that_it_reads_and_ends_with_control_d()
    {
        // script(1) gives it a terminal; \x04 is Ctrl-D.
        var result = await Shell.RunAsync(_spool, "{ printf 'typed\\n'; sleep 1; printf '\\x04'; sleep 1; } | script -qec '\"$q\" add' /dev/null");
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("end with Ctrl-D", result.Stdout, StringComparison.Ordinal);
        Assert.Equal("typed\n"u8.ToArray(), _spool.Value<byte[]>("SELECT body FROM message"));
    }

    [Theory(Timeout = 60_000)]
    [InlineData("", "\e[31mnot running\e[0m")]
    [InlineData("NO_COLOR=1", "agent: not running")]
    [InlineData("TERM=dumb", "agent: not running")]
    public async Task Colours_are_for_terminals_that_want_them(string environment, string expected)
    {
        await _spool.CreateAsync();
        var result = await Shell.RunAsync(_spool, $"export TERM=xterm; unset NO_COLOR; script -qec '{environment} \"$q\" status' /dev/null");
        Assert.Contains(expected, result.Stdout, StringComparison.Ordinal);
        Assert.DoesNotContain("\e", (await new SpoolCommand(_spool).RunAsync("status")).Stdout, StringComparison.Ordinal);
    }
}
