using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Service;

/// <summary>Who opens the file, who asks the service, and what each hears where neither works.</summary>
public sealed class ChoiceTests : IDisposable
{
    private readonly SharedSpool _shared = new();

    public void Dispose() => _shared.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task The_owner_opens_the_file_and_all_others_ask_the_service()
    {
        await _shared.StartAsync();
        foreach (TestAccount account in (TestAccount[])[SharedSpool.Owner, SharedSpool.Member, SharedSpool.Operator, TestAccount.Root])
        {
            (await _shared.RunAsync(account, "add", "--id", account.User.ToString(), "x")).MustSucceed();
        }

        _shared.Service!.Kill();

        (await _shared.RunAsync(SharedSpool.Owner, "add", "x")).MustSucceed();
        foreach (TestAccount account in (TestAccount[])[SharedSpool.Member, TestAccount.Root])
        {
            CommandResult alone = await _shared.RunAsync(account, "add", "x");
            Assert.Equal((75, ""), (alone.ExitCode, alone.Stdout));
            Assert.Contains("does not listen", alone.Stderr, StringComparison.Ordinal);
        }

        Assert.Equal(5, _shared.Spool.Value<int>("SELECT count(*) FROM message"));
    }

    [Fact(Timeout = 120_000)]
    public async Task The_owner_may_ask_the_service_too()
    {
        await _shared.StartAsync();
        (await _shared.RunAsync(SharedSpool.Owner, "--service", "add", "x")).MustSucceed();
        _shared.Service!.Kill();
        Assert.Equal(75, (await _shared.RunAsync(SharedSpool.Owner, "--service", "add", "x")).ExitCode);
    }

    [Fact(Timeout = 120_000)]
    public async Task Direct_on_a_spool_of_another_account_names_the_command_that_works()
    {
        await _shared.StartAsync();
        foreach (string command in (string[])["add", "list"])
        {
            CommandResult refused = await _shared.RunAsync(SharedSpool.Member, "--direct", command);
            Assert.Equal((77, ""), (refused.ExitCode, refused.Stdout));
            Assert.Contains("sudo -u '#61950' quickq-spool", refused.Stderr, StringComparison.Ordinal);
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task A_service_of_another_spool_refuses_and_names_its_own()
    {
        await _shared.StartAsync();
        using var other = new SharedSpool();
        foreach (string command in (string[])["add", "status", "wait"])
        {
            CommandResult refused = await _shared.RunScriptAsync(SharedSpool.Member, $"QUICKQ_SOCKET='{_shared.Socket}' \"$q\" --spool '{other.Path}' {command} x");
            Assert.Equal((66, ""), (refused.ExitCode, refused.Stdout));
            Assert.Contains(_shared.Path, refused.Stderr, StringComparison.Ordinal);
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task A_socket_alone_names_the_spool_that_it_serves()
    {
        await _shared.StartAsync();
        (await _shared.RunScriptAsync(SharedSpool.Member, $"QUICKQ_SPOOL= QUICKQ_SOCKET='{_shared.Socket}' \"$q\" add x")).MustSucceed();
        Assert.Equal(1, _shared.Spool.Value<int>("SELECT count(*) FROM message"));
    }

    [Theory(Timeout = 120_000)]
    [InlineData("add x")]
    [InlineData("status")]
    [InlineData("wait x")]
    public async Task Who_is_in_no_group_hears_how_to_get_in(string line)
    {
        await _shared.StartAsync();
        CommandResult refused = await _shared.RunAsync(SharedSpool.Outsider, line.Split(' '));
        Assert.Equal((77, ""), (refused.ExitCode, refused.Stdout));
        Assert.Contains("to group 61960, then log in again", refused.Stderr, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_socket_that_may_not_be_used_says_how_to_get_in()
    {
        await _shared.StartAsync();
        File.SetUnixFileMode(_shared.Socket, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        CommandResult refused = await _shared.RunAsync(SharedSpool.Outsider, "add", "x");
        Assert.Equal((77, ""), (refused.ExitCode, refused.Stdout));
        Assert.Contains("join the group of its service", refused.Stderr, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task Only_operators_change_things()
    {
        await _shared.StartAsync();
        (await _shared.RunAsync(SharedSpool.Member, "add", "--id", "m1", "x")).MustSucceed();

        CommandResult refused = await _shared.RunAsync(SharedSpool.Member, "cancel", "m1");

        Assert.Equal((77, ""), (refused.ExitCode, refused.Stdout));
        foreach (TestAccount account in (TestAccount[])[SharedSpool.Operator, SharedSpool.Owner, TestAccount.Root])
        {
            (await _shared.RunAsync(account, "--service", "cancel", "m1")).MustSucceed();
        }
    }

    [Theory(Timeout = 60_000)]
    [InlineData(73, "add x")]
    [InlineData(66, "status")]
    [InlineData(66, "wait x")]
    public async Task Without_folder_and_socket_there_is_nothing_to_ask(int code, string line)
    {
        CommandResult refused = await _shared.RunAsync(SharedSpool.Member, ["--spool", "/no/such/spool.db", .. line.Split(' ')]);
        Assert.Equal((code, ""), (refused.ExitCode, refused.Stdout));
    }

    [Theory(Timeout = 60_000)]
    [InlineData("--version")]
    [InlineData("help")]
    [InlineData("--service --version")]
    [InlineData("--service help add")]
    [InlineData("--service add --help")]
    [InlineData("--spool /no/such/spool.db --help")]
    public async Task Help_and_version_need_no_service(string line)
    {
        CommandResult result = await _shared.RunAsync(SharedSpool.Member, line.Split(' '));
        Assert.Equal((0, ""), (result.ExitCode, result.Stderr));
        Assert.Contains("quickq-spool", result.Stdout, StringComparison.Ordinal);
    }

    [Theory(Timeout = 60_000)]
    [InlineData("--spool={0} add x", 0)]
    [InlineData("--spool {0} --direct add x", 0)]
    [InlineData("--direct add --spool={0} x", 0)]
    [InlineData("--spool {0} add --spool {0} x", 64)]
    [InlineData("--direct --service add x", 64)]
    [InlineData("--direct add --direct x", 64)]
    [InlineData("--spool", 64)]
    [InlineData("--direct", 64)]
    [InlineData("--lines add", 64)]
    public async Task What_names_the_spool_may_stand_before_the_command(string line, int code)
    {
        CommandResult result = await _shared.RunScriptAsync(SharedSpool.Owner, $"QUICKQ_SPOOL= \"$q\" {string.Format(line, _shared.Path)}");
        Assert.Equal(code, result.ExitCode);
        Assert.Equal(code == 0 ? 1 : 0, File.Exists(_shared.Path) ? _shared.Spool.Value<int>("SELECT count(*) FROM message") : 0);
    }

    [Theory(Timeout = 60_000)]
    [InlineData("list --spool=/tmp/x.db")]
    [InlineData("list --direct")]
    [InlineData("list --service")]
    [InlineData("--spool /tmp/x.db list")]
    [InlineData("--direct list")]
    [InlineData("import --file /etc/passwd")]
    [InlineData("add --file /etc/passwd")]
    public async Task A_command_that_the_service_runs_opens_no_path_and_chooses_no_spool(string line)
    {
        (await _shared.RunAsync(SharedSpool.Owner, "add", "x")).MustSucceed();
        CommandResult refused = await _shared.RunScriptAsync(SharedSpool.Owner, $"QUICKQ_CALLER='0 root' QUICKQ_SERVICE_PID=$$ QUICKQ_TERMINALS=000 \"$q\" {line}; exit $?");
        Assert.Equal((64, ""), (refused.ExitCode, refused.Stdout));
        Assert.Equal(1, _shared.Spool.Value<int>("SELECT count(*) FROM message"));
    }
}
