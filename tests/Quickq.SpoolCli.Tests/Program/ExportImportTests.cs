using System.Text;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary><c>export</c> from one spool, <c>import</c> into another: the same messages, byte for byte.</summary>
public sealed class ExportImportTests : IDisposable
{
    private const string AllColumns =
        "SELECT id || '|' || coalesce(exchange, 'NULL') || '|' || routing_key || '|' || properties || '|' || coalesce(expires_at, 'NULL') || '|' || created_at || '|' || hex(body) FROM message ORDER BY seq";

    private readonly TempSpool _spool = new();
    private readonly TempSpool _other = new();
    private readonly SpoolCommand _quickq;

    public ExportImportTests() => _quickq = new SpoolCommand(_spool);

    public void Dispose()
    {
        _spool.Dispose();
        _other.Dispose();
    }

    [Fact(Timeout = 60_000)]
    public async Task Every_message_comes_back_as_it_was_in_its_order()
    {
        await FillAsync();
        byte[][] bodies = [Some.Bytes(300_000), [], [0], Encoding.UTF8.GetBytes("\0\u0001\t\r\n\"\\/\u007f\u2028é✓🛰\uFFFD\uFEFF</script>"), [0xEF, 0xBB, 0xBF, 0x7B], [0xED, 0xA0, 0x80], [0xC0, 0x80]];
        foreach (var body in bodies)
        {
            (await _quickq.RunWithInputAsync(body, "add")).MustSucceed();
        }

        var said = await ExportImportAsync("export");

        Assert.Equal("10 messages stored, 0 in the spool already\n", said);
        Assert.Equal(_spool.Query<string>(AllColumns), _other.Query<string>(AllColumns));
    }

    [Fact(Timeout = 60_000)]
    public async Task The_object_of_show_is_imported_too()
    {
        await FillAsync();
        Assert.Equal("1 message stored, 0 in the spool already\n", await ExportImportAsync("show --json m1"));
        Assert.Equal("1 message stored, 0 in the spool already\n", await ExportImportAsync("show --json m3"));
        Assert.Equal(_spool.Query<string>(AllColumns).Where(row => !row.StartsWith("m2", StringComparison.Ordinal)), _other.Query<string>(AllColumns));
    }

    [Fact(Timeout = 60_000)]
    public async Task What_is_imported_twice_is_there_once()
    {
        await FillAsync();
        await ExportImportAsync("export --limit 1");
        Assert.Equal("2 messages stored, 1 in the spool already\n", await ExportImportAsync("export"));
        Assert.Equal("0 messages stored, 3 in the spool already\n", await ExportImportAsync("export"));
        Assert.Equal(3, _other.Messages());
    }

    [Fact(Timeout = 60_000)]
    public async Task The_lines_are_those_of_the_contract()
    {
        await FillAsync();
        _spool.Execute("UPDATE message SET created_at = 1767319445000001, expires_at = CASE WHEN expires_at IS NULL THEN NULL ELSE 1767323045000001 END");
        Approval.Matches("export.ndjson", (await _quickq.RunAsync("export")).MustSucceed().Stdout);
    }

    [Fact(Timeout = 60_000)]
    public async Task Messages_are_chosen_by_the_filters_of_list()
    {
        await FillAsync();
        _spool.Execute("INSERT INTO server (name) VALUES ('mq1')");
        (await _quickq.RunAsync("add", "--id", "m4", "-t", "leo", "x")).MustSucceed();

        Assert.Equal(["m4"], await IdsAsync("--server", "mq1", "--state", "pending"));
        Assert.Equal(["m1", "m2"], await IdsAsync("--topic", "geo.#"));
        Assert.Equal(["m3", "m4"], await IdsAsync("--limit", "2"));
        Assert.Equal([], await IdsAsync("--until", "1h"));
    }

    [Fact(Timeout = 60_000)]
    public async Task Imported_messages_are_due_at_the_servers_of_the_spool()
    {
        await FillAsync();
        await _other.AddServersAsync("mq7", "mq8");
        await ExportImportAsync("export");
        Assert.Equal([3, 3], _other.Query<int>("SELECT pending FROM server"));
    }

    [Theory(Timeout = 60_000)]
    [InlineData("{oops", "line 3: not JSON (line 1, byte 2")]
    [InlineData("[1]", "line 3: not a JSON object")]
    [InlineData("{\"body\":\"x\"}", "line 3: there is no id")]
    [InlineData("{\"id\":\"c\"}", "line 3: there is neither body nor bodyBase64")]
    [InlineData("{\"id\":\"c\",\"body\":\"x\",\"bodyBase64\":\"eA==\"}", "line 3: there are both")]
    [InlineData("{\"id\":\"c\",\"bodyBase64\":\"?\"}", "line 3: bodyBase64 is not base64")]
    [InlineData("{\"id\":\"c\",\"body\":1}", "line 3: body is not a text")]
    [InlineData("{\"id\":\"c\",\"body\":\"\\ud800\"}", "line 3: body contains an unpaired surrogate")]
    [InlineData("{\"id\":\"c\",\"body\":\"x\",\"createdAt\":\"then\"}", "line 3: createdAt 'then' is not a time")]
    [InlineData("{\"id\":\"c\",\"body\":\"x\",\"properties\":{\"headers\":{\"h\":[1]}}}", "line 3: the properties cannot be read")]
    [InlineData("{\"id\":\"c/d\",\"body\":\"x\"}", "line 3: the id must have")]
    [InlineData("{\"id\":\"c\",\"body\":\"x\",\"routingKey\":\"LONG\"}", "line 3: the routing key has 300 bytes")]
    [InlineData("{\"id\":\"a\",\"body\":\"other\"}", "line 3: a message with the id a and other content")]
    public async Task A_line_that_is_no_message_ends_it_with_its_number_and_those_before_it_are_stored(string line, string says)
    {
        var input = $"{{\"id\":\"a\",\"body\":\"1\"}}\n{{\"id\":\"b\",\"body\":\"2\",\"more\":[]}}\n{line.Replace("LONG", new string('k', 300), StringComparison.Ordinal)}\n{{\"id\":\"e\",\"body\":\"3\"}}\n";

        var result = await _quickq.RunWithInputAsync(Encoding.UTF8.GetBytes(input), "import");

        Assert.Equal((65, ""), (result.ExitCode, result.Stdout));
        Assert.Contains(says, Assert.Single(result.Stderr.Trim().Split('\n')), StringComparison.Ordinal);
        Assert.EndsWith("what stands before this line is stored\n", result.Stderr, StringComparison.Ordinal);
        Assert.Equal(["a", "b"], _spool.Query<string>("SELECT id FROM message ORDER BY seq"));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_full_spool_takes_no_import_beyond_its_limit()
    {
        await _spool.CreateAsync();
        _spool.Execute("UPDATE setting SET value = '1000000' WHERE name = 'maxSize'");
        var input = string.Concat(Enumerable.Range(1, 300).Select(i => $"{{\"id\":\"m{i}\",\"body\":\"{new string('x', 10_000)}\"}}\n"));

        var result = await _quickq.RunWithInputAsync(Encoding.UTF8.GetBytes(input), "import");

        Assert.Equal(75, result.ExitCode);
        Assert.InRange(_spool.Messages(), 50, 100);
        Assert.StartsWith($"quickq-spool: line {_spool.Messages() + 1}: the spool is full", result.Stderr, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_signal_ends_it_after_the_last_line_that_was_read()
    {
        using var child = Shell.Start(_spool, "exec \"$q\" import");
        await child.Stdin.WriteAsync(string.Concat(Enumerable.Range(1, 300).Select(i => $"{{\"id\":\"m{i}\",\"body\":\"x\"}}\n")) + "{\"id\":\"unfinished\"");
        await child.Stdin.FlushAsync();
        await Eventually.Is("it has stored what it stores at once, and more was read", TimeSpan.FromSeconds(20), () => File.Exists(_spool.Path) && _spool.Messages() > 0);

        (await Shell.RunAsync(_spool, $"kill -TERM {child.Pid}")).MustSucceed();

        Assert.Equal(75, await child.WaitForExitAsync(TimeSpan.FromSeconds(20)));
        var stored = _spool.Messages();
        Assert.Equal($"{stored} messages stored, 0 in the spool already\n", child.Stdout);
        Assert.Contains($"after line {stored}; repeat the import", child.Stderr, StringComparison.Ordinal);
    }

    [Theory(Timeout = 60_000)]
    [InlineData(66, "No such file", "import --file /no/such/file")]
    [InlineData(66, "neither the folder /no/such", "export --spool /no/such/spool")]
    [InlineData(66, "there is no server 'mq9'", "export --server mq9")]
    [InlineData(64, "import takes no arguments: 'x'", "import x")]
    public async Task What_cannot_be_done_is_told(int code, string says, string line)
    {
        await _spool.CreateAsync();
        var result = await _quickq.RunAsync(line.Split(' '));
        Assert.Equal((code, ""), (result.ExitCode, result.Stdout));
        Assert.Contains(says, Assert.Single(result.Stderr.Trim().Split('\n')), StringComparison.Ordinal);
    }

    private async Task FillAsync()
    {
        (await _quickq.RunAsync("add", "--id", "m1", "-t", "geo.goes", "-x", "satellite", "-H", "h=é", "--ttl", "1h", "--priority", "3", "--transient", "{\"a\":\"é\"}")).MustSucceed();
        (await _quickq.RunAsync("add", "--id", "m2", "-t", "geo", "-x", "", "plain")).MustSucceed();
        (await _quickq.RunWithInputAsync(new byte[] { 0xFF, 0, 10 }, "add", "--id", "m3")).MustSucceed();
        _spool.Execute("UPDATE message SET properties = '{\"headers\":{\"whole\":1,\"point\":1.0,\"none\":null,\"yes\":true}}' WHERE id = 'm2'");
    }

    private async Task<string> ExportImportAsync(string export) =>
        (await Shell.RunAsync(_spool, $"\"$q\" {export} > lines && \"$q\" import --file lines --spool '{_other.Path}'")).MustSucceed().Stdout;

    private async Task<IEnumerable<string>> IdsAsync(params string[] filters) =>
        (await _quickq.RunAsync(["export", .. filters])).MustSucceed().Lines.Select(line => line.Split('"')[3]);
}
