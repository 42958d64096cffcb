using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary><c>add --server</c>, and a spool of the older format: what a user types and sees.</summary>
public sealed class TargetsTests : IDisposable
{
    private readonly TempSpool _spool = new();
    private readonly TempSpool _other = new();
    private readonly SpoolCommand _quickq;

    public TargetsTests() => _quickq = new SpoolCommand(_spool);

    public void Dispose()
    {
        _spool.Dispose();
        _other.Dispose();
    }

    [Fact(Timeout = 60_000)]
    public async Task A_message_goes_to_the_servers_that_are_named_and_to_no_other()
    {
        await _spool.AddServersAsync("mq1", "mq2", "mq3");

        (await _quickq.RunAsync("add", "--id", "m1", "--server", "mq3", "--server=mq1", "x")).MustSucceed();

        Assert.Equal(["mq1", "mq3"], _spool.Query<string>("SELECT name FROM delivery JOIN server ON id = server ORDER BY name"));
        Assert.Contains("\"servers\":[\"mq1\",\"mq3\"],\"addedBy\":null,", (await _quickq.RunAsync("status", "m1", "--json")).MustSucceed().Stdout, StringComparison.Ordinal);
        Assert.Contains("servers        mq1, mq3\n", (await _quickq.RunAsync("show", "m1")).MustSucceed().Stdout, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_mistyped_server_is_told_with_the_names_and_stores_nothing()
    {
        await _spool.AddServersAsync("mq1", "mq2");

        CommandResult result = await _quickq.RunAsync("add", "--server", "mq9", "x");

        Assert.Equal((66, ""), (result.ExitCode, result.Stdout));
        Assert.Equal("quickq-spool: there is no server 'mq9'; nothing was stored; the servers are mq1, mq2\n", result.Stderr);
        Assert.Equal(0, _spool.Messages());
    }

    [Fact(Timeout = 60_000)]
    public async Task An_import_keeps_whom_a_message_is_for_also_where_nobody_knows_the_name()
    {
        (await _quickq.RunAsync("add", "--id", "m1", "--server", "mq1", "--server", "mq7", "x")).MustSucceed();
        (await _quickq.RunAsync("add", "--id", "m2", "--server", "mq7", "x")).MustSucceed();
        await _other.AddServersAsync("mq1", "mq2");

        byte[] lines = System.Text.Encoding.UTF8.GetBytes((await _quickq.RunAsync("export")).MustSucceed().Stdout);
        var other = new SpoolCommand(_other);
        (await other.RunWithInputAsync(lines, "import")).MustSucceed();

        Assert.Equal(["m1 mq1"], _other.Query<string>("SELECT message.id || ' ' || name FROM delivery JOIN server ON server.id = server JOIN message ON seq = message"));
        Assert.Equal([" mq1 mq7 ", " mq7 "], _other.Query<string>("SELECT servers FROM message ORDER BY seq"));
        Assert.Equal(["import 2"], _other.Query<string>("SELECT command || ' ' || count FROM operation"));
        CommandResult wait = await other.RunAsync("wait", "m2", "--timeout", "0");
        Assert.Equal(75, wait.ExitCode);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_spool_of_the_older_format_is_raised_by_the_command_and_the_way_back_is_named()
    {
        Quickq.Spool.SpoolCreation.WriteDraft(_spool.Path, format: 1);
        _spool.Execute("INSERT INTO message (id, body) VALUES ('old', x'78')");

        Assert.Equal("format 1 raised to 2\n", (await _quickq.RunAsync("upgrade")).MustSucceed().Stdout);
        Assert.Equal("the spool has format 2 already\n", (await _quickq.RunAsync("upgrade")).MustSucceed().Stdout);
        Assert.Equal("x", (await _quickq.RunAsync("show", "old", "--body")).MustSucceed().Stdout);
        Assert.Equal(["upgrade 1"], _spool.Query<string>("SELECT command || ' ' || count FROM operation"));
        _spool.Execute("PRAGMA user_version=3; UPDATE setting SET value = '3' WHERE name IN ('format', 'oldestWriter')");
        CommandResult refused = await _quickq.RunAsync("upgrade");
        Assert.Equal(78, refused.ExitCode);
        Assert.Contains("To go back: 'quickq-spool export' with that version, 'import' into a new spool with this one", refused.Stderr, StringComparison.Ordinal);
    }
}
