using Quickq.SpoolCli.CommandLine;

namespace Quickq.SpoolCli.Tests.CommandLine;

/// <summary>What was typed is read in one way only, or refused.</summary>
public sealed class ParsedArgumentsTests
{
    private readonly Option _help = Options.Help();
    private readonly Command _syntax;

    public ParsedArgumentsTests()
    {
        _syntax = new Command("add", "")
        {
            Arguments = "[MESSAGE]",
            Options =
            {
                Options.Value("--file", "F", ""),
                Options.Value("--topic", "KEY", "", "-t"),
                Options.Repeated("--metadata", "K=V", "", "-m"),
                Options.Flag("--lines", ""),
                Options.OptionalValue("--wait", "30s", ""),
                _help,
            },
        };
    }

    [Theory]
    [InlineData("", "add")]
    [InlineData("hello", "add -- hello")]
    [InlineData("add", "add -- add")]
    [InlineData("[diagram]", "add -- [diagram]")]
    [InlineData("@x", "add -- @x")]
    [InlineData("hello --lines", "add --lines -- hello")]
    [InlineData("-t a.b x", "add --topic=a.b -- x")]
    [InlineData("--topic=a=b x", "add --topic=a=b -- x")]
    [InlineData("--topic=-x y", "add --topic=-x -- y")]
    [InlineData("-m a=b -m c=d", "add --metadata=a=b --metadata=c=d")]
    [InlineData("--wait x", "add --wait -- x")]
    [InlineData("--wait -- 5s", "add --wait -- 5s")]
    [InlineData("--wait=5s", "add --wait=5s")]
    [InlineData("--file -", "add --file=-")]
    [InlineData("--file=- x", "add --file=- -- x")]
    [InlineData("-- --lines", "add -- --lines")]
    [InlineData("-t x -- -- -t", "add --topic=x -- -- -t")]
    public void What_can_be_meant_in_one_way_only_is_put_into_one_form(string typed, string expected) =>
        Assert.Equal(expected, string.Join(' ', Read(typed)!));

    [Fact]
    public void An_empty_value_and_an_empty_message_are_kept_as_they_are() =>
        Assert.Equal(["add", "--topic=", "--", ""], ParsedArguments.Read(_syntax, _help, ["--topic=", ""])!.Without([]));

    [Theory]
    [InlineData("--wait 3s x", "--wait takes its value after '=': --wait=3s")]
    [InlineData("--wait 1h30m", "--wait takes its value after '=': --wait=1h30m")]
    public void A_duration_behind_an_option_that_may_have_one_is_no_message(string typed, string message) =>
        Assert.Equal(message, Assert.Throws<CommandException>(() => Read(typed)).Message);

    [Theory]
    [InlineData("--lins", "did you mean --lines?")]
    [InlineData("-lines", "did you mean --lines?")]
    [InlineData("--tpoic=x", "did you mean --topic?")]
    [InlineData("--top x", "did you mean --topic?")]
    [InlineData("--topic:x", "did you mean --topic?")]
    [InlineData("-q", "see quickq-spool add --help")]
    [InlineData("-tx", "see quickq-spool add --help")]
    [InlineData("--LINES", "see quickq-spool add --help")]
    [InlineData("-", "--file -")]
    [InlineData("---", "see quickq-spool add --help")]
    [InlineData("-5", "after '--'")]
    public void A_token_with_a_dash_that_is_no_option_is_refused_with_a_guess(string typed, string hint)
    {
        var failure = Assert.Throws<CommandException>(() => Read(typed));
        Assert.Equal(ExitCode.WrongUse, failure.Code);
        Assert.Contains(hint, failure.Hint, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-t", "needs a value")]
    [InlineData("-t --lines", "needs a value")]
    [InlineData("-t -", "needs a value")]
    [InlineData("-t -5", "needs a value")]
    [InlineData("-m -- x", "needs a value")]
    [InlineData("-t a -t b", "given twice")]
    [InlineData("-t a --topic=b", "given twice")]
    [InlineData("--lines --lines", "given twice")]
    [InlineData("--lines=yes", "takes no value")]
    public void An_option_takes_exactly_what_it_says(string typed, string fault)
    {
        var failure = Assert.Throws<CommandException>(() => Read(typed));
        Assert.Equal(ExitCode.WrongUse, failure.Code);
        Assert.Contains(fault, failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("-h")]
    [InlineData("x --lines -h --unknown")]
    public void Help_is_asked_for_by_either_name(string typed) => Assert.Null(Read(typed));

    [Fact]
    public void Help_behind_two_dashes_is_a_message() => Assert.Equal("add -- --help", string.Join(' ', Read("-- --help")!));

    private string[]? Read(string typed) => ParsedArguments.Read(_syntax, _help, typed.Split(' ', StringSplitOptions.RemoveEmptyEntries))?.Without([]);
}
