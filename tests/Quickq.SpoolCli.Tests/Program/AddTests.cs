using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary>One message by one <c>add</c>: what comes in is what is stored.</summary>
public sealed partial class AddTests : IDisposable
{
    private readonly TempSpool _spool = new();
    private readonly SpoolCommand _quickq;

    public AddTests() => _quickq = new SpoolCommand(_spool);

    public void Dispose() => _spool.Dispose();

    [Fact(Timeout = 60_000)]
    public async Task The_id_is_printed_and_is_a_uuid_of_version_7()
    {
        var result = (await _quickq.RunAsync("add", "hello")).MustSucceed();

        Assert.Matches(Uuid7(), result.Stdout);
        Assert.Equal(result.Stdout.Trim(), _spool.Value<string>("SELECT id FROM message"));
        Assert.Equal("", result.Stderr);
    }

    [Theory(Timeout = 60_000)]
    [InlineData("add")]
    [InlineData("status")]
    [InlineData("[diagram]")]
    [InlineData("[suggest:1]")]
    [InlineData("@response-file")]
    [InlineData("help")]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("two\nlines\t\r\n")]
    [InlineData("é ✓ 🛰 \uFFFD")]
    [InlineData("a=b")]
    [InlineData("/help")]
    [InlineData("/?")]
    public async Task Any_text_that_is_no_option_is_the_message(string message)
    {
        (await _quickq.RunAsync("add", message)).MustSucceed();
        Assert.Equal(Encoding.UTF8.GetBytes(message), _spool.Value<byte[]>("SELECT body FROM message"));
    }

    [Theory(Timeout = 60_000)]
    [InlineData("--lins")]
    [InlineData("-5")]
    [InlineData("--")]
    [InlineData("--help")]
    [InlineData("--version")]
    public async Task A_message_with_a_dash_goes_behind_two_dashes(string message)
    {
        (await _quickq.RunAsync("add", "-t", "x", "--", message)).MustSucceed();
        Assert.Equal(Encoding.UTF8.GetBytes(message), _spool.Value<byte[]>("SELECT body FROM message"));
    }

    [Theory(Timeout = 60_000)]
    [InlineData("\"$q\" add < payload")]
    [InlineData("cat payload | \"$q\" add")]
    [InlineData("\"$q\" add --file payload")]
    [InlineData("\"$q\" add --file=payload")]
    [InlineData("\"$q\" add --file - < payload")]
    [InlineData("cat payload | \"$q\" add --file /dev/stdin")]
    [InlineData("\"$q\" add --file <(cat payload)")]
    public async Task Bytes_are_stored_as_they_come_whatever_brings_them(string script)
    {
        var payload = Some.Bytes(200_000);
        await File.WriteAllBytesAsync(_spool.File("payload"), payload);

        (await Shell.RunAsync(_spool, script)).MustSucceed();

        Assert.Equal(payload, _spool.Value<byte[]>("SELECT body FROM message"));
        Assert.Equal("""{"contentType":"application/octet-stream"}""", _spool.Value<string>("SELECT properties FROM message"));
    }

    [Fact(Timeout = 60_000)]
    public async Task All_that_the_options_say_is_stored()
    {
        var before = DateTimeOffset.UtcNow;
        (await _quickq.RunAsync(
            "add", "{\"a\":{\"b\":\"x\"},\"n\":1.50}", "-t", "{a[b]}.{n}.{k}", "-x", "satellite", "-m", "k=v=w", "-H", "h1=one", "--header", "h2=", "--ttl", "1h",
            "--priority", "7", "--transient", "--id", "my.id:1")).MustSucceed();

        var stored = _spool.Query<(string Id, string Exchange, string Key, string Properties, long ExpiresAt, byte[] Body)>(
            "SELECT id, exchange, routing_key, properties, expires_at, body FROM message").Single();
        Assert.Equal(("my.id:1", "satellite", "x.1.5.v=w"), (stored.Id, stored.Exchange, stored.Key));
        Assert.Equal("""{"contentType":"application/json","headers":{"h1":"one","h2":""},"priority":7,"transient":true}""", stored.Properties);
        Assert.Equal("""{"a":{"b":"x"},"n":1.50,"k":"v=w"}""", Encoding.UTF8.GetString(stored.Body));
        Assert.InRange(stored.ExpiresAt / 1_000_000.0, before.ToUnixTimeSeconds() + 3600, before.ToUnixTimeSeconds() + 3700);
    }

    [Theory(Timeout = 60_000)]
    [InlineData("{}", null, "application/json")]
    [InlineData("[1]", null, "application/json")]
    [InlineData("42", null, "application/octet-stream")]
    [InlineData("42", "--json", "application/json")]
    [InlineData("{broken", null, "application/octet-stream")]
    [InlineData("{}", "--content-type=text/plain", "text/plain")]
    [InlineData("x", "--content-type=a\"b", "a\"b")]
    public async Task The_content_type_is_what_is_said_or_what_it_is(string message, string? option, string expected)
    {
        (await _quickq.RunAsync([.. new[] { "add", message, option }.OfType<string>()])).MustSucceed();
        using var properties = System.Text.Json.JsonDocument.Parse(_spool.Value<string>("SELECT properties FROM message"));
        Assert.Equal(expected, properties.RootElement.GetProperty("contentType").GetString());
    }

    [Fact(Timeout = 60_000)]
    public async Task The_same_id_and_content_again_is_success_and_stores_nothing()
    {
        string[] add = ["add", "--id", "one", "-t", "a.b", "-H", "h=1", "{\"x\":1}"];
        Assert.Equal("one\n", (await _quickq.RunAsync(add)).MustSucceed().Stdout);
        Assert.Equal("one\n", (await _quickq.RunAsync(add)).MustSucceed().Stdout);
        Assert.Equal(1, _spool.Messages());
    }

    [Theory(Timeout = 60_000)]
    [InlineData("-t", "a.c", "-H", "h=1", "{\"x\":1}")]
    [InlineData("-t", "a.b", "-H", "h=2", "{\"x\":1}")]
    [InlineData("-t", "a.b", "-H", "h=1", "{\"x\":2}")]
    public async Task The_same_id_with_other_content_is_bad_data(params string[] other)
    {
        (await _quickq.RunAsync("add", "--id", "one", "-t", "a.b", "-H", "h=1", "{\"x\":1}")).MustSucceed();

        var result = await _quickq.RunAsync(["add", "--id", "one", .. other]);

        Assert.Equal(65, result.ExitCode);
        Assert.Equal("", result.Stdout);
        Assert.Contains("one", Assert.Single(result.Stderr.Trim().Split('\n')), StringComparison.Ordinal);
        Assert.Equal(1, _spool.Messages());
    }

    [Fact(Timeout = 60_000)]
    public async Task The_spool_is_named_by_the_option_before_the_environment()
    {
        var other = _spool.File("other.db");
        (await _quickq.RunAsync("add", "--spool", other, "x")).MustSucceed();
        Assert.False(File.Exists(_spool.Path));
        Assert.True(File.Exists(other));
    }

    [Fact(Timeout = 60_000)]
    public async Task Two_programs_that_share_one_output_file_both_keep_their_lines()
    {
        (await Shell.RunAsync(_spool, "{ \"$q\" add a; \"$q\" add b; } > ids")).MustSucceed();
        Assert.Equal(_spool.Query<string>("SELECT id FROM message ORDER BY seq"), await File.ReadAllLinesAsync(_spool.File("ids")));
    }

    [Fact(Timeout = 60_000)]
    public async Task Many_adds_without_an_agent_leave_a_small_log_behind()
    {
        (await Shell.RunAsync(_spool, "head -c 50000 /dev/urandom > p; for i in $(seq 30); do \"$q\" add --file p; done")).MustSucceed();
        Assert.Equal(30, _spool.Messages());
        Assert.InRange(new FileInfo(_spool.Path + "-wal").Length, 0, 700_000);
    }

    [GeneratedRegex(@"\A[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\n\z", RegexOptions.NonBacktracking)]
    private static partial Regex Uuid7();
}
