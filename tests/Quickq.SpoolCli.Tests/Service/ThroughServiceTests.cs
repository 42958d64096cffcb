using Quickq.SpoolCli.Tests.Program;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Service;

/// <summary>Each command does the same through the service as directly: the same bytes, the same exit code.</summary>
public sealed class ThroughServiceTests : IAsyncLifetime
{
    private readonly SharedSpool _shared = new();
    private readonly TempFolder _files = new("files");

    public async ValueTask InitializeAsync()
    {
        await _shared.StartAsync();
        foreach (string name in (string[])["mq1", "mq2"])
        {
            (await _shared.RunAsync(SharedSpool.Member, "add", "--id", "first", "x")).MustSucceed();
            _shared.Spool.Execute("INSERT OR IGNORE INTO server (name) VALUES (@name)", new { name });
        }

        (await _shared.RunAsync(SharedSpool.Member, "add", "--id", "m1", "-t", "a.b", "-x", "satellite", "{\"ä\":1}")).MustSucceed();
        (await _shared.RunAsync(SharedSpool.Member, "add", "--id", "m2", "-t", "a.c", "--ttl", "1d", "plain")).MustSucceed();
        _shared.Spool.Put("m1", "mq1", "delivered");
        _shared.Spool.Put("m1", "mq2", "rejected");
    }

    public ValueTask DisposeAsync()
    {
        _shared.Dispose();
        _files.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory(Timeout = 120_000)]
    [InlineData("status --json")]
    [InlineData("status m1 m2")]
    [InlineData("status m1 --json")]
    [InlineData("status nobody")]
    [InlineData("list")]
    [InlineData("list --json --limit 1")]
    [InlineData("list --server mq2 --state rejected")]
    [InlineData("list --server nowhere")]
    [InlineData("show m1 --json")]
    [InlineData("show m1 --body")]
    [InlineData("show m")]
    [InlineData("export")]
    [InlineData("export --topic a.#")]
    [InlineData("wait m1")]
    [InlineData("wait m2 --timeout 0")]
    [InlineData("wait m2 --timeout 50ms")]
    [InlineData("wait first --timeout 0")]
    [InlineData("wait fir --timeout 0")]
    [InlineData("wait m")]
    [InlineData("wait nobody")]
    [InlineData("add --id m1 other")]
    [InlineData("add --id m2 -t a.c --ttl 1d plain")]
    [InlineData("add --json {oops}")]
    [InlineData("add --id m2 -t a.c --wait=0s plain")]
    [InlineData("retry --server mq2 --dry-run")]
    [InlineData("hold --all --dry-run")]
    [InlineData("cancel")]
    [InlineData("replay --server mq1 --dry-run")]
    [InlineData("pause mq1")]
    [InlineData("pause nowhere")]
    [InlineData("add --server nowhere x")]
    [InlineData("upgrade")]
    [InlineData("purge --older-than 1d --dry-run")]
    [InlineData("list --lmit 1")]
    [InlineData("stauts")]
    [InlineData("check --json")]
    [InlineData("help add")]
    [InlineData("wait --help")]
    public async Task It_prints_the_same_and_ends_the_same(string line)
    {
        string[] arguments = line.Split(' ');
        CommandResult direct = await _shared.RunAsync(SharedSpool.Owner, ["--direct", .. arguments]);

        Assert.Equal(direct, await _shared.RunAsync(SharedSpool.Operator, arguments));
        Assert.Equal(direct, await _shared.RunAsync(SharedSpool.Owner, ["--service", .. arguments]));
    }

    [Fact(Timeout = 120_000)]
    public async Task Changes_are_made_and_told_alike()
    {
        CommandResult held = (await _shared.RunAsync(SharedSpool.Operator, "hold", "m2")).MustSucceed();
        Assert.Equal("2 deliveries of 1 message are now held\n", held.Stdout);
        CommandResult released = (await _shared.RunAsync(SharedSpool.Owner, "--direct", "release", "m2")).MustSucceed();
        Assert.Equal("2 deliveries of 1 message are now pending\n", released.Stdout);
        Assert.Equal(
            [$"{SharedSpool.Operator.User} hold m2 2", $"{SharedSpool.Owner.User} release m2 2"],
            _shared.Spool.Query<string>("SELECT uid || ' ' || command || ' ' || filter || ' ' || count FROM operation ORDER BY id"));
    }

    [Fact(Timeout = 120_000)]
    public async Task Lines_are_stored_in_order_and_a_bad_one_stops_with_its_number()
    {
        CommandResult result = await _shared.RunWithInputAsync(SharedSpool.Member, "{\"n\":1}\n{\"n\":2}\noops\n{\"n\":4}\n", "add", "--lines", "--json");

        Assert.Equal((65, 2), (result.ExitCode, result.Lines.Count));
        Assert.StartsWith("quickq-spool: line 3: ", result.Stderr, StringComparison.Ordinal);
        Assert.Equal(result.Lines, _shared.Spool.Query<string>("SELECT id FROM message WHERE id NOT IN ('first', 'm1', 'm2') ORDER BY seq"));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_file_is_opened_with_the_rights_of_who_asks()
    {
        string export = (await _shared.RunAsync(SharedSpool.Member, "export")).MustSucceed().Stdout;
        string own = SharedSpool.FileOf(SharedSpool.Operator, _files, "own.ndjson", export.Replace("\"id\":\"m", "\"id\":\"copy-", StringComparison.Ordinal));
        string foreign = SharedSpool.FileOf(SharedSpool.Owner, _files, "foreign.ndjson", export);
        File.SetUnixFileMode(_files.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherExecute | UnixFileMode.GroupExecute);

        CommandResult imported = await _shared.RunAsync(SharedSpool.Operator, "import", "--file", own);
        CommandResult refused = await _shared.RunAsync(SharedSpool.Operator, "import", "--file", foreign);

        Assert.Equal((0, "2 messages stored, 1 in the spool already\n"), (imported.ExitCode, imported.Stdout));
        Assert.Equal(77, refused.ExitCode);
        Assert.Contains(foreign, refused.Stderr, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task Much_input_and_much_output_go_through_whole()
    {
        var lines = string.Concat(Enumerable.Range(0, 20_000).Select(n => $"{{\"id\":\"n{n}\",\"body\":\"{new string('x', 200)}\"}}\n"));

        CommandResult imported = await _shared.RunWithInputAsync(SharedSpool.Operator, lines, "import");
        CommandResult exported = (await _shared.RunAsync(SharedSpool.Member, "export")).MustSucceed();

        Assert.Equal((0, "20,000 messages stored, 0 in the spool already\n"), (imported.ExitCode, imported.Stdout));
        Assert.Equal(20_003, exported.Lines.Count);
        CommandResult head = await _shared.RunScriptAsync(SharedSpool.Member, "set -o pipefail; \"$q\" export | head -1 | wc -l");
        Assert.Equal((0, "1\n", ""), (head.ExitCode, head.Stdout, head.Stderr));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_loop_over_lines_keeps_its_input()
    {
        CommandResult result = await _shared.RunScriptAsync(SharedSpool.Operator,
            """
            printf 'm1\nm2\n' | while read -r id; do
              for command in status show 'wait --timeout 0' retry hold; do "$q" $command "$id" > /dev/null 2>&1; done
              echo "$id"
            done
            """);
        Assert.Equal("m1\nm2\n", result.Stdout);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_terminal_is_one_for_the_command_too()
    {
        string script(string answer) => $"export TERM=xterm; unset NO_COLOR; {{ sleep 1; printf '{answer}\\n'; sleep 1; }} | script -qec '\"$q\" hold --all' /dev/null";

        CommandResult no = await _shared.RunScriptAsync(SharedSpool.Operator, script("n"));
        Assert.Contains("[y/N]", no.Stdout, StringComparison.Ordinal);
        Assert.Equal(0, _shared.Spool.Value<int>("SELECT count(*) FROM delivery WHERE state = 'held'"));

        await _shared.RunScriptAsync(SharedSpool.Operator, script("y"));
        Assert.NotEqual(0, _shared.Spool.Value<int>("SELECT count(*) FROM delivery WHERE state = 'held'"));
        Assert.Contains("\e[", (await _shared.RunScriptAsync(SharedSpool.Member, "export TERM=xterm; unset NO_COLOR; script -qec '\"$q\" status' /dev/null")).Stdout, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_container_that_has_only_the_socket_produces()
    {
        using var place = new TempFolder("container");
        File.SetUnixFileMode(place.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherExecute);
        string script =
            $"""
            set -e
            mkdir {place.Path}/socket
            mount --bind {_shared.Spool.Folder} {place.Path}/socket
            touch {place.Path}/spool.sock
            mount --bind {_shared.Socket} {place.Path}/spool.sock
            umount {place.Path}/socket
            mount -t tmpfs tmpfs {_shared.Spool.Folder}
            test ! -e {_shared.Path}
            exec setpriv --reuid={SharedSpool.Member.User} --regid={SharedSpool.Member.User} --groups={SharedSpool.Member.Groups[0]} -- env QUICKQ_SOCKET={place.Path}/spool.sock {SharedSpool.Program} add --id inside x
            """;
        using ChildProcess child = ChildProcess.Start("unshare", ["--mount", "bash", "-c", script]);

        CommandResult result = await child.EndAsync("", TimeSpan.FromSeconds(60));

        Assert.Equal((0, "inside\n"), (result.MustSucceed().ExitCode, result.Stdout));
        Assert.Equal(1, _shared.Spool.Value<int>("SELECT count(*) FROM message WHERE id = 'inside'"));
    }
}
