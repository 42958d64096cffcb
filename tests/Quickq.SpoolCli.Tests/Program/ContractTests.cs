using System.Globalization;
using System.Text.RegularExpressions;
using Quickq.Spool.Files;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary>What other people's scripts read: the members of <c>--json</c>, the texts of <c>--help</c>, pinned by approved files.</summary>
public sealed partial class ContractTests : IDisposable
{
    private readonly TempSpool _spool = new();
    private readonly SpoolCommand _quickq;

    public ContractTests() => _quickq = new SpoolCommand(_spool);

    public void Dispose() => _spool.Dispose();

    [Fact(Timeout = 60_000)]
    public async Task Status_before_any_agent_ran()
    {
        await _spool.CreateAsync();
        Approval.Matches("status-empty.json", Fixed((await _quickq.RunAsync("status", "--json")).MustSucceed().Stdout));
        Approval.Matches("status-empty.txt", Fixed((await _quickq.RunAsync("status")).MustSucceed().Stdout));
    }

    [Fact(Timeout = 60_000)]
    public async Task Status_while_the_agent_is_away()
    {
        await FillAsync();
        Approval.Matches("status-away.json", Fixed((await _quickq.RunAsync("status", "--json")).MustSucceed().Stdout));
        Approval.Matches("status-away.txt", Fixed((await _quickq.RunAsync("status")).MustSucceed().Stdout));
    }

    [Fact(Timeout = 60_000)]
    public async Task Status_while_the_agent_runs()
    {
        await FillAsync();
        _spool.Execute("UPDATE server SET rate = 102.5, rate_at = @now WHERE name <> 'mq3'", new { now = (DateTimeOffset.UtcNow.Ticks - DateTimeOffset.UnixEpoch.Ticks) / 10 });
        using var agent = AgentLock.TryTake(_spool.Path, out _);

        var json = (await _quickq.RunAsync("status", "--json")).MustSucceed().Stdout;
        var text = (await _quickq.RunAsync("status")).MustSucceed().Stdout;

        Approval.Matches("status-running.json", Fixed(json));
        Approval.Matches("status-running.txt", Fixed(text));
    }

    [Fact(Timeout = 60_000)]
    public async Task Status_of_messages_list_and_show()
    {
        await FillAsync();
        Approval.Matches("status-message.json", Fixed((await _quickq.RunAsync("status", "m1", "m2", "--json")).MustSucceed().Stdout));
        Approval.Matches("list.json", Fixed((await _quickq.RunAsync("list", "--json")).MustSucceed().Stdout));
        Approval.Matches("show.json", Fixed((await _quickq.RunAsync("show", "m1", "--json")).MustSucceed().Stdout));
        Approval.Matches("show.txt", Fixed((await _quickq.RunAsync("show", "m1")).MustSucceed().Stdout));
    }

    [Theory(Timeout = 60_000)]
    [InlineData("", 64)]
    [InlineData("--help", 0)]
    [InlineData("-h", 0)]
    [InlineData("help", 0)]
    [InlineData("help --help", 0)]
    public async Task The_help_of_the_program(string line, int code)
    {
        var result = await _quickq.RunAsync(line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(code, result.ExitCode);
        Assert.Equal("", code == 0 ? result.Stderr : result.Stdout);
        Approval.Matches("help.txt", code == 0 ? result.Stdout : result.Stderr);
    }

    [Theory(Timeout = 60_000)]
    [InlineData("add")]
    [InlineData("status")]
    [InlineData("list")]
    [InlineData("show")]
    [InlineData("wait")]
    [InlineData("retry")]
    [InlineData("hold")]
    [InlineData("release")]
    [InlineData("cancel")]
    [InlineData("pause")]
    [InlineData("resume")]
    [InlineData("replay")]
    [InlineData("purge")]
    [InlineData("export")]
    [InlineData("import")]
    [InlineData("check")]
    [InlineData("upgrade")]
    public async Task The_help_of_a_verb(string verb)
    {
        var help = (await _quickq.RunAsync(verb, "--help")).MustSucceed().Stdout;
        Approval.Matches($"help-{verb}.txt", help);
        Assert.Equal(help, (await _quickq.RunAsync("help", verb)).MustSucceed().Stdout);
        Assert.Equal(help, (await _quickq.RunAsync(verb, "x", "-h")).MustSucceed().Stdout);
        Assert.All(help.Split('\n'), line => Assert.InRange(line.Length, 0, 132));
    }

    [Fact(Timeout = 60_000)]
    public async Task The_version_is_told() =>
        Assert.Matches(@"\Aquickq-spool \d+\.\d+\.\d+\n\z", (await _quickq.RunAsync("--version")).MustSucceed().Stdout);

    [Fact(Timeout = 60_000)]
    public async Task Watching_prints_one_block_after_the_other_and_ends_with_0_at_control_c()
    {
        await _spool.CreateAsync();
        using var child = Shell.Start(_spool, "exec \"$q\" status --watch=50ms");
        await Eventually.Is("three blocks are printed", TimeSpan.FromSeconds(20), () => child.Stdout.Split("\n\nspool: ").Length >= 3);

        (await Shell.RunAsync(_spool, $"kill -INT {child.Pid}")).MustSucceed();

        Assert.Equal(0, await child.WaitForExitAsync(TimeSpan.FromSeconds(20)));
        Assert.DoesNotContain("\e", child.Stdout, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task Watching_for_programs_prints_one_object_a_line()
    {
        await _spool.CreateAsync();
        var result = await Shell.RunAsync(_spool, "timeout -s INT 2 \"$q\" status --watch=50ms --json");
        Assert.True(result.Lines.Count > 3);
        Assert.All(result.Lines, line => Assert.Equal(result.Lines[0], line));
    }

    /// <summary>Three servers: one that has most, one with every kind of trouble, one that is no longer configured.</summary>
    private async Task FillAsync()
    {
        await _spool.AddServersAsync("mq1", "mq2", "mq3");
        (await _quickq.RunAsync("add", "--id", "m1", "-t", "geo.goes.g16", "-x", "satellite", "-H", "site=ü", "--ttl", "1h", "{\"band\":\"8\"}")).MustSucceed();
        (await _quickq.RunAsync("add", "--id", "m2", "-t", "leo", "plain")).MustSucceed();
        _spool.Settle("m1", "mq1", "delivered");
        _spool.Settle("m1", "mq2", "rejected", "406 PRECONDITION_FAILED - message size 20 is larger than 10");
        _spool.Execute(
            """
            UPDATE delivery SET state = 'deferred', attempts = 3, next_attempt_at = 1767323060000000, reason = 'nack' WHERE message = (SELECT seq FROM message WHERE id = 'm2') AND server = 2;
            UPDATE message SET created_at = 1767319445000001, expires_at = CASE WHEN expires_at IS NULL THEN NULL ELSE 1767323045000001 END;
            UPDATE server SET connection = 'connected', endpoint = '10.0.0.1:5672', since = 1767319445000000, pending = 1200, delivered = 1234567, unrouted = 3 WHERE name = 'mq1';
            UPDATE server SET connection = 'reconnecting', since = 1767319445000000, pending = 1, deferred = 1, held = 2, rejected = 1, expired = 4, cancelled = 5,
                   last_error = 'no answer from mq2.example:5672 within 10 s', last_error_at = 1767319445000000 WHERE name = 'mq2';
            UPDATE server SET active = 0, pending = 2 WHERE name = 'mq3';
            """);
    }

    /// <summary>Puts fixed words for what differs between two runs: path, size, SQLite's version, process id, ages.</summary>
    private string Fixed(string output)
    {
        output = output.Replace(_spool.Path, "/spool.db", StringComparison.Ordinal)
            .Replace(Environment.ProcessId.ToString(CultureInfo.InvariantCulture), "4711", StringComparison.Ordinal);
        output = Varying().Replace(output, match => match.Groups["before"].Value + "~");
        return Gap().Replace(Age().Replace(output, "~"), "  ");
    }

    [GeneratedRegex("(?<before>\"bytes\":|\"sqlite\":\"|SQLite |messages?, )[0-9.]+(?: KiB)?", RegexOptions.NonBacktracking)]
    private static partial Regex Varying();

    [GeneratedRegex(@"\b[0-9]+d(?: [0-9]+h)?\b", RegexOptions.NonBacktracking)]
    private static partial Regex Age();

    [GeneratedRegex(" {2,}", RegexOptions.NonBacktracking)]
    private static partial Regex Gap();
}
