using System.Diagnostics;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>What keeps the agent from starting, each with its exit code and one line that says what to do; and what it only warns of.</summary>
public sealed class AgentStartTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <summary>An account that the system does not know by name.</summary>
    private const string Stranger = "61905";

    /// <summary>Root without the right to pass over permissions: to what belongs to others it is one of them.</summary>
    private static readonly string[] WithoutPrivileges = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"];

    private readonly TempSpool _spool = new();

    public AgentStartTests() => Configuration = new AgentConfiguration(_spool.Path).WithServer("mq1", "127.0.0.1", FreePort.Next(), "/", "satellite");

    private AgentConfiguration Configuration { get; }

    [Fact(Timeout = 120_000)]
    public async Task A_spool_folder_that_is_not_there_ends_it_with_73()
    {
        Configuration.Root["spool"]!["path"] = _spool.File("away/spool.db");

        (int code, string said) = await RefusalAsync();

        Assert.Equal(73, code);
        Assert.StartsWith($"quickq-agent: the folder {_spool.File("away")} does not exist; make it (mkdir -p {_spool.File("away")})", said, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_spool.File("away")));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_spool_folder_of_others_ends_it_with_77()
    {
        Directory.CreateDirectory(_spool.File("theirs"));
        Run("chown", Stranger, _spool.File("theirs"));
        Run("chmod", "700", _spool.File("theirs"));
        Configuration.Root["spool"]!["path"] = _spool.File("theirs/spool.db");

        (int code, string said) = await RefusalAsync(WithoutPrivileges);

        Assert.Equal(77, code);
        Assert.Contains(Stranger, said, StringComparison.Ordinal);
        Assert.Contains(_spool.File("theirs"), said, StringComparison.Ordinal);
        Assert.EndsWith($"run the agent as that account: sudo -u '#{Stranger}' quickq-agent ...", said, StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData]
    [InlineData("--check-config")]
    public async Task A_configuration_that_it_may_not_read_ends_it_with_77(params string[] options)
    {
        Configuration.Write();
        Run("chown", Stranger, Configuration.FilePath);
        using var agent = AgentProcess.Start(_spool.Path, ["--config", Configuration.FilePath, .. options], environment: null, inside: null, WithoutPrivileges);

        Assert.Equal(77, await agent.WaitForExitAsync(Limit));
        Assert.Equal($"{Configuration.FilePath}: permission denied; run as root, or as a member of its group", agent.Stderr.Trim());
        Assert.False(File.Exists(_spool.Path));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_spool_of_a_newer_format_ends_it_with_78_and_is_left_alone()
    {
        (await new SpoolCommand(_spool).RunAsync("add", "-t", "a.b", "{}")).MustSucceed();
        _spool.Execute("PRAGMA user_version=99; UPDATE setting SET value='99' WHERE name IN ('format', 'oldestWriter')");

        (int code, string says) = await RefusalAsync();
        Assert.Equal(78, code);
        Assert.StartsWith($"quickq-agent: the spool {_spool.Path} has format 99, this program knows format 2; install the Quickq version that made it, or a newer one. To go back: 'quickq-spool export'", says, StringComparison.Ordinal);
        Assert.Equal((99L, 1L), (_spool.Value<long>("PRAGMA user_version"), _spool.Value<long>("SELECT count(*) FROM message")));
        Assert.Equal(0, _spool.Value<long>("SELECT count(*) FROM server"));
    }

    [Theory(Timeout = 120_000)]
    [InlineData(64, "--confg")]
    [InlineData(64, "--verbosity", "loud")]
    [InlineData(78, "--config", "/nowhere/quickq.json")]
    public async Task Wrong_options_end_it_with_64_and_a_configuration_that_is_not_there_with_78(int expected, params string[] options)
    {
        using var agent = AgentProcess.Start(_spool.Path, options);

        Assert.Equal(expected, await agent.WaitForExitAsync(Limit));
        Assert.Single(agent.Stderr.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Empty(agent.Stdout);
    }

    [Fact(Timeout = 120_000)]
    public async Task Of_a_connection_in_plain_to_another_host_it_warns()
    {
        Configuration.WithServer("far", "192.0.2.1", 5672, "/", "satellite");
        using var agent = AgentProcess.Start(Configuration);

        await agent.AwaitLogAsync(" WARN servers.far: the connection to 192.0.2.1 is not encrypted: the password crosses the network in clear; use amqps:// or \"tls\"", Limit);
        Assert.DoesNotContain("servers.mq1:", agent.Stderr, StringComparison.Ordinal);
        Assert.Equal(0, await agent.StopAsync());
    }

    [Fact(Timeout = 120_000)]
    public async Task Of_a_configuration_with_a_password_that_others_can_read_it_warns_at_each_start()
    {
        Configuration.Root["servers"]!["mq1"]!["password"] = "not guest";
        Configuration.WriteTo(Configuration.FilePath);
        Run("chmod", "644", Configuration.FilePath);
        using var agent = AgentProcess.Start(_spool.Path, ["--config", Configuration.FilePath]);

        await agent.AwaitLogAsync($" WARN {Configuration.FilePath}: holds a password and every user can read it; chmod 640, or use \"passwordFile\"", Limit);
        Assert.Equal(0, await agent.StopAsync());
    }

    [Theory(Timeout = 120_000)]
    [InlineData("0<&-")]
    [InlineData("1>&-")]
    [InlineData("2>&-")]
    [InlineData("0<&- 1>&- 2>&-")]
    [InlineData("2</dev/null")]
    public async Task Closed_descriptors_harm_nothing(string redirections)
    {
        Configuration.WithServer("mq2", "127.0.0.1", FreePort.Next(), "/", "satellite");
        using var agent = AgentProcess.Start(Configuration, environment: null, inside: null, "sh", "-c", $"exec \"$@\" {redirections}", "sh");

        await Eventually.Gives("the agent runs, and says why it delivers nothing", 2L, Limit, () =>
            File.Exists(_spool.Path) && _spool.Value<long>("SELECT count(*) FROM sqlite_master WHERE name = 'server'") == 1 ? _spool.Value<long>("SELECT count(*) FROM server WHERE last_error LIKE '%refused%'") : 0);
        foreach (string closed in new[] { "0", "1", "2" }.Where(descriptor => redirections.Contains($"{descriptor}<&-", StringComparison.Ordinal) || redirections.Contains($"{descriptor}>&-", StringComparison.Ordinal)))
        {
            Assert.Equal("/dev/null", new FileInfo($"/proc/{agent.Pid}/fd/{closed}").LinkTarget);
        }

        Assert.Equal(0, await agent.StopAsync());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_thread_of_the_runtime_that_comes_late_to_what_it_had_under_a_closed_number_harms_nothing()
    {
        // It begins to read when something else is there already, and before the program begins again.
        using var traced = AgentProcess.Start(
            Configuration, environment: null, inside: null, "strace", "-f", "-qq", "-o", _spool.File("trace"), "-e", "trace=read,execve",
            "-e", "inject=read:delay_enter=300000:when=1", "-e", "inject=execve:delay_enter=1000000", "sh", "-c", "exec \"$@\" 0<&-", "sh");
        await Eventually.Is("the agent runs", Limit, () => File.Exists(_spool.File("spool.db.reserve")));
        string pid = File.ReadAllText($"/proc/{traced.Pid}/task/{traced.Pid}/children").Trim();

        Assert.Equal("/dev/null", new FileInfo($"/proc/{pid}/fd/0").LinkTarget);
        Run("kill", pid);
        Assert.Equal(0, await traced.WaitForExitAsync(Limit));
    }

    [Fact(Timeout = 120_000)]
    public async Task Of_a_folder_that_others_may_write_from_now_on_it_warns_and_goes_on()
    {
        using var agent = AgentProcess.Start(Configuration);
        await agent.AwaitLogAsync("mq1: cannot connect", Limit); // everything is open
        Run("chmod", "777", _spool.Folder);
        await agent.AwaitLogAsync($" WARN the folder {_spool.Folder} may be written by other accounts (mode 0777): they could replace the spool; hint: chmod go-w {_spool.Folder}", Limit);
        Run("chmod", "700", _spool.Folder);
        await agent.AwaitLogAsync($" INFO only its owner may write the folder {_spool.Folder} again", Limit);
        Assert.Equal(0, await agent.StopAsync());
    }

    [Fact(Timeout = 120_000)]
    public async Task Sighup_ends_nothing_before_the_spool_is_open()
    {
        _spool.MustBeSound = false;
        (await new SpoolCommand(_spool).RunAsync("add", "-t", "a.b", "{}")).MustSucceed();
        using (FileStream file = File.OpenWrite(_spool.Path))
        {
            file.Seek(100, SeekOrigin.Begin);
            file.Write(new byte[3_000]);
        }

        using var holder = ChildProcess.Start("flock", [$"{_spool.Path}.lock", "cat"]);
        using var agent = AgentProcess.Start(Configuration);
        await agent.AwaitLogAsync("the spool is damaged", Limit);
        agent.Hangup();
        agent.Hangup();

        // The lock is free: the repair goes on, and the request to reload is not forgotten.
        holder.Stdin.Close();
        await agent.AwaitLogAsync("again: 1 servers", Limit);
        Assert.Equal(0, await agent.StopAsync());
    }

    public void Dispose() => _spool.Dispose();

    private static void Run(string program, params string[] arguments)
    {
        using var run = Process.Start(program, arguments);
        run.WaitForExit();
        Assert.Equal(0, run.ExitCode);
    }

    /// <summary>Its exit code and the one line that it says.</summary>
    private async Task<(int Code, string Line)> RefusalAsync(params string[] within)
    {
        using var agent = AgentProcess.Start(Configuration, environment: null, inside: null, within);
        int code = await agent.WaitForExitAsync(Limit);
        Assert.Empty(agent.Stdout);
        return (code, Assert.Single(agent.Stderr.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
    }
}
