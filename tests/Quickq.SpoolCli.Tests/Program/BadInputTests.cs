using System.Globalization;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary>Whatever is wrong: the code of the contract, one line that says what to do, nothing on standard output, nothing stored.</summary>
public sealed class BadInputTests : IDisposable
{
    private readonly TempSpool _spool = new() { MustBeSound = false };

    public void Dispose() => _spool.Dispose();

    [Theory(Timeout = 60_000)]
    // An option that does not exist never becomes the message.
    [InlineData(64, "did you mean --lines", "add --lins")]
    [InlineData(64, "did you mean --topic", "add --topik x y")]
    [InlineData(64, "unknown option -q", "add -q hello")]
    [InlineData(64, "unknown option -tx", "add -tx hello")]
    [InlineData(64, "unknown option --topic:x", "add --topic:x hello")]
    [InlineData(64, "'-' is not an option", "add -")]
    [InlineData(64, "needs a value", "add hello -t")]
    [InlineData(64, "needs a value", "add -t --lines hello")]
    [InlineData(64, "given twice", "add -t a -t b hello")]
    [InlineData(64, "takes no value", "add --lines=x")]
    [InlineData(64, "--wait takes its value after '=': --wait=3s", "add --wait 3s x")]
    [InlineData(64, "--watch takes its value after '=': --watch=2s", "status --watch 2s")]
    [InlineData(64, "expected one message, got 2", "add hello world")]
    [InlineData(64, "both MESSAGE and --file", "add hello --file x")]
    [InlineData(64, "--lines does not go with MESSAGE", "add --lines hello")]
    [InlineData(64, "--lines does not go with --id", "add --lines --id x")]
    [InlineData(64, "is not a duration", "add --ttl 5 x")]
    [InlineData(64, "greater than zero", "add --ttl 0s x")]
    [InlineData(64, "is not a duration", "add --wait=soon x")]
    [InlineData(64, "whole number from 0 to 255", "add --priority 256 x")]
    [InlineData(64, "name and a value", "add -H novalue x")]
    [InlineData(64, "name and a value", "add -m =v x")]
    [InlineData(64, "has no '}'", "add -t {a x")]
    // Data that does not fit.
    [InlineData(65, "not JSON (line 1, byte 2", "add --json {oops}")]
    [InlineData(65, "not JSON", "add --json hello")]
    [InlineData(65, "not JSON", "add -t {a} hello")]
    [InlineData(65, "has no 'b'", "add -t {b} {\"a\":1}")]
    [InlineData(65, "not a JSON object", "add -m a=b [1]")]
    [InlineData(65, "the id must have", "add --id a/b x")]
    [InlineData(65, "256 bytes, AMQP allows 255", "add -t $(printf%256d) x")]
    [InlineData(65, "510 bytes, AMQP allows 255", "add -t $(é*255) x")]
    [InlineData(65, "exchange has 256 bytes", "add -x $(printf%256d) x")]
    [InlineData(65, "header name has 256 bytes", "add -H $(printf%256d)=v x")]
    // Inputs that are not there.
    [InlineData(66, "No such file", "add --file /no/such/file")]
    [InlineData(66, "is a folder", "add --file /tmp")]
    [InlineData(66, "there is no spool at", "status")]
    [InlineData(66, "there is no spool at", "list")]
    [InlineData(66, "there is no spool at", "show x")]
    [InlineData(66, "there is no spool at", "wait x")]
    // Verbs.
    [InlineData(64, "did you mean status", "stauts")]
    [InlineData(64, "the command comes first", "--lines")]
    [InlineData(64, "show needs an ID", "show")]
    [InlineData(64, "wait needs an ID", "wait")]
    [InlineData(64, "show takes one ID", "show a b")]
    [InlineData(64, "do not go together", "show a --body --json")]
    [InlineData(64, "is not a state", "list --state done")]
    [InlineData(64, "is not a time", "list --since yesterday")]
    [InlineData(64, "whole number from 1", "list --limit 0")]
    [InlineData(64, "list takes no arguments: 'surplus'", "list surplus")]
    [InlineData(64, "is not a duration", "wait x --timeout 5")]
    [InlineData(73, "neither the folder /no/such/folder nor the socket", "add --spool /no/such/folder/spool.db x")]
    public async Task It_is_refused_with_one_line_and_its_code(int code, string says, string line)
    {
        var arguments = line.Split(' ').Select(word => word
            .Replace("$(printf%256d)", new string('k', 256), StringComparison.Ordinal)
            .Replace("$(é*255)", new string('é', 255), StringComparison.Ordinal));

        var result = await new SpoolCommand(_spool).RunAsync([.. arguments]);

        AssertRefused(code, says, result);
        Assert.Equal(0, _spool.Messages());
    }

    [Fact(Timeout = 60_000)]
    public async Task A_message_that_is_not_utf8_is_bad_data() =>
        AssertRefused(65, "not valid UTF-8", await Shell.RunAsync(_spool, "exec \"$q\" add $'b\\xffd'"));

    [Fact(Timeout = 60_000)]
    public async Task A_topic_that_is_not_utf8_is_bad_data() =>
        AssertRefused(65, "argument 3", await Shell.RunAsync(_spool, "exec \"$q\" add -t $'b\\xffd' hello"));

    [Fact(Timeout = 60_000)]
    public async Task A_body_over_the_limit_is_bad_data()
    {
        var result = await Shell.RunAsync(_spool, "head -c 16777217 /dev/zero | \"$q\" add");
        AssertRefused(65, "maxMessageSize", result);
        Assert.Equal(0, _spool.Messages());
    }

    [Fact(Timeout = 60_000)]
    public async Task A_file_that_is_not_a_spool_is_left_alone()
    {
        var text = new string('x', 5000);
        await File.WriteAllTextAsync(_spool.Path, text);
        AssertRefused(65, "not a", await new SpoolCommand(_spool).RunAsync("add", "x"));
        AssertRefused(65, "not a", await new SpoolCommand(_spool).RunAsync("status"));
        Assert.Equal(text, await File.ReadAllTextAsync(_spool.Path));
    }

    [Fact(Timeout = 60_000)]
    public async Task Another_programs_database_is_left_alone()
    {
        (await Shell.RunAsync(_spool, "sqlite3 \"$QUICKQ_SPOOL\" 'CREATE TABLE message (x)'; sha256sum spool.db > before")).MustSucceed();
        AssertRefused(65, "not a", await new SpoolCommand(_spool).RunAsync("add", "x"));
        (await Shell.RunAsync(_spool, "sha256sum --status -c before")).MustSucceed();
    }

    [Theory(Timeout = 60_000)]
    [InlineData("add x")]
    [InlineData("status")]
    public async Task A_spool_of_a_newer_version_is_a_matter_of_configuration(string line)
    {
        await _spool.CreateAsync();
        _spool.Execute("PRAGMA user_version = 99; UPDATE setting SET value = '99' WHERE name IN ('format', 'oldestWriter')");
        AssertRefused(78, "newer", await new SpoolCommand(_spool).RunAsync(line.Split(' ')));
        Assert.Equal(0, _spool.Messages());
    }

    [Fact(Timeout = 60_000)]
    public async Task A_full_spool_is_to_be_tried_later()
    {
        await _spool.CreateAsync();
        _spool.Execute("UPDATE setting SET value = '60000' WHERE name = 'maxSize'");
        AssertRefused(75, "full", await new SpoolCommand(_spool).RunAsync("add", "x"));
        Assert.Equal(0, _spool.Messages());
    }

    [Theory(Timeout = 60_000)]
    [InlineData(77, "belongs to the account", "\"$q\" add x; chmod 0755 .; exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$q\" --direct add x")]
    [InlineData(75, "does not listen", "\"$q\" add x; chmod 0755 .; exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$q\" add x")]
    [InlineData(77, "ermission", "chmod 0777 .; echo x > f; chmod 0600 f; exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$q\" add --file f")]
    public async Task Without_permission_it_says_so(int code, string says, string script)
    {
        Assert.SkipUnless(Environment.UserName is "root", "needs root to become somebody else");
        Assert.SkipUnless(BuiltPrograms.SpoolCli is var program && IsReadableByAll(program), "another user cannot run the program where it lies");
        var result = await Shell.RunAsync(_spool, script.Replace("\"$q\" add x;", "\"$q\" add x > id;", StringComparison.Ordinal));
        AssertRefused(code, says, result);
    }

    private static bool IsReadableByAll(string path)
    {
        for (var folder = Path.GetDirectoryName(path); folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (!File.GetUnixFileMode(folder).HasFlag(UnixFileMode.OtherExecute))
            {
                return false;
            }
        }

        return true;
    }

    private static void AssertRefused(int code, string says, CommandResult result)
    {
        Assert.True(code == result.ExitCode, string.Create(CultureInfo.InvariantCulture, $"exit {result.ExitCode}: {result.Stderr}"));
        Assert.Equal("", result.Stdout);
        var line = Assert.Single(result.Stderr.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("quickq-spool: ", line, StringComparison.Ordinal);
        Assert.Contains(says, line, StringComparison.Ordinal);
    }
}
