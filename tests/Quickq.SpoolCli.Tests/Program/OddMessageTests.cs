using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary>Messages that other programs stored, with properties that are none: every command shows what is there, and goes on with the others.</summary>
public sealed class OddMessageTests : IDisposable
{
    private readonly TempSpool _spool = new();
    private readonly SpoolCommand _quickq;

    public OddMessageTests() => _quickq = new SpoolCommand(_spool);

    public void Dispose() => _spool.Dispose();

    [Theory(Timeout = 120_000)]
    [InlineData("not JSON", "\"properties\":\"not JSON\"")]
    [InlineData("{\"headers\":{\"a\":1e999}}", "\"properties\":\"{\\\"headers\\\":{\\\"a\\\":1e999}}\"")]
    [InlineData("[]", "\"properties\":\"[]\"")]
    [InlineData("{\"priority\":\"high\"}", "\"priority\\\":\\\"high")]
    public async Task Properties_that_cannot_be_read_stop_nothing(string properties, string json)
    {
        await _spool.AddServersAsync("mq1");
        (await _quickq.RunAsync("add", "--id", "before", "x")).MustSucceed();
        SpoolRows.Execute(_spool, "INSERT INTO message (id, routing_key, properties, body) VALUES ('odd', 'a.b', @properties, 'body')", new { properties });
        (await _quickq.RunAsync("add", "--id", "behind", "x")).MustSucceed();

        var export = await _quickq.RunAsync("export");
        Assert.Equal(74, export.ExitCode);
        Assert.Equal(["before", "behind"], export.Lines.Select(line => line.Split('"')[3]));
        Assert.StartsWith("quickq-spool: message odd was not exported: its properties cannot be read: ", export.Stderr, StringComparison.Ordinal);
        Assert.Contains("1 message not exported", export.Stderr, StringComparison.Ordinal);
        var shown = (await _quickq.RunAsync("show", "odd")).MustSucceed().Stdout;
        Assert.Contains("cannot be read: ", shown, StringComparison.Ordinal);
        Assert.Contains(properties, shown, StringComparison.Ordinal);
        Assert.Contains(json, (await _quickq.RunAsync("show", "odd", "--json")).MustSucceed().Stdout, StringComparison.Ordinal);
        Assert.Equal("body", (await _quickq.RunAsync("show", "odd", "--body")).MustSucceed().Stdout);
        Assert.Contains("odd", (await _quickq.RunAsync("list")).MustSucceed().Stdout, StringComparison.Ordinal);
        Assert.Equal(65, (await _quickq.RunAsync("add", "--id", "odd", "-t", "a.b", "body")).ExitCode);
        (await _quickq.RunAsync("check")).MustSucceed();
    }

    [Theory(Timeout = 120_000)]
    [InlineData("UPDATE tally SET value = 'many' WHERE name = 'removed'")]
    [InlineData("UPDATE server SET pending = x'ff'")]
    [InlineData("UPDATE setting SET value = 'ten' WHERE name = 'maxSize'")]
    public async Task A_counter_that_is_no_number_is_damage_and_the_way_out_is_named(string change)
    {
        await _spool.AddServersAsync("mq1");
        (await _quickq.RunAsync("add", "--id", "m1", "x")).MustSucceed();
        _spool.Execute(change);

        foreach (var command in new[] { "status", "add", "check" })
        {
            var result = await _quickq.RunAsync(command is "add" ? ["add", "x"] : [command]);
            Assert.True(result.ExitCode == 74 || (command is not "check" && result.ExitCode == 0), $"{command}: {result.ExitCode}");
            Assert.DoesNotContain("   at ", result.Stderr, StringComparison.Ordinal);
            Assert.True(result.ExitCode == 0 || command is "check" || result.Stderr.Contains("quickq-spool check --repair", StringComparison.Ordinal), result.Stderr);
        }

        (await _quickq.RunAsync("check", "--repair")).MustSucceed();
        (await _quickq.RunAsync("status")).MustSucceed();
    }

    [Fact(Timeout = 120_000)]
    public async Task What_other_programs_stored_steers_no_terminal()
    {
        await _spool.AddServersAsync("mq1");
        const string hostile = "a\e]0;x\a\u202Eb\u2028c\u200Bd";
        SpoolRows.Execute(_spool, "INSERT INTO message (id, exchange, routing_key, body) VALUES ('m1', @hostile, @hostile, CAST(@hostile AS BLOB))", new { hostile });
        SpoolRows.Execute(_spool, "UPDATE delivery SET endpoint = @hostile, reason = @hostile; UPDATE server SET name = @hostile, endpoint = @hostile, last_error = @hostile", new { hostile });
        using var agent = Quickq.Spool.Files.AgentLock.TryTake(_spool.Path, out _);

        foreach (string[] command in new[] { ["status"], ["status", "m1"], ["list"], ["show", "m1"], ["check"], ["wait", "m1", "--timeout", "0"], ["list", "--server", hostile], new[] { "pause", hostile }, ["status", hostile] })
        {
            var result = await _quickq.RunAsync(command);
            Assert.DoesNotMatch(@"[\p{Cf}\p{Zl}\p{Zp}]|[\p{Cc}-[\n]]", result.Stdout);
            Assert.DoesNotMatch(@"[\p{Cf}\p{Zl}\p{Zp}]|[\p{Cc}-[\n]]", result.Stderr);
            Assert.Contains(@"\u001b", result.Stdout + result.Stderr + (command is ["check"] or ["pause", _] ? @"\u001b" : ""), StringComparison.Ordinal);
        }

        Assert.Contains(@"\u001b", (await _quickq.RunAsync("list", "--json")).MustSucceed().Stdout, StringComparison.OrdinalIgnoreCase);
    }
}
