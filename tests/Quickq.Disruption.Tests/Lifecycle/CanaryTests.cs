using System.Text.Json.Nodes;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>A password that is put into the configuration in every way, while everything that can go wrong with it does, is found nowhere else.</summary>
[Collection<TwoNodesCollection>]
public sealed class CanaryTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private const string Right = "uri file environment credential";
    private const string Wrong = "refused tls dead";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);
    private readonly Canary _canary = new();
    private readonly TempSpool _spool = new();

    /// <summary>Where the password was put: these files may hold it.</summary>
    private readonly TempFolder _put = new("put");

    public async ValueTask InitializeAsync()
    {
        await hosts.First.EnsureServingAsync();
        await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "satellite");
        await hosts.First.CtlAsync("eval", $"ok = rabbit_auth_backend_internal:add_user(<<\"{hosts.Name}\">>, <<\"{_canary.Password}\">>, <<\"tests\">>), " +
            $"ok = rabbit_auth_backend_internal:set_permissions(<<\"{hosts.Name}\">>, <<\"{hosts.Name}\">>, <<\".*\">>, <<\".*\">>, <<\".*\">>, <<\"tests\">>).");
    }

    public async ValueTask DisposeAsync()
    {
        await hosts.First.CtlAsync("eval", $"ok = rabbit_auth_backend_internal:delete_user(<<\"{hosts.Name}\">>, <<\"tests\">>).");
        _spool.Dispose();
        _put.Dispose();
    }

    [Theory(Timeout = 300_000)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task At_the_highest_verbosity_no_log_status_notice_process_list_or_file_tells_it(bool toJournal)
    {
        Assert.SkipUnless(!toJournal || JournalHost.IsPossible, "a journal of one's own needs root and systemd-journald");
        await using JournalHost? journal = toJournal ? await JournalHost.StartAsync() : null;
        using var systemd = new NotifySocket($"@quickq-{Guid.NewGuid():N}");
        JsonObject configuration = Configure();
        Write(configuration);
        Dictionary<string, string?> environment = Environment();
        environment["NOTIFY_SOCKET"] = systemd.Address;
        using var agent = AgentProcess.Start(
            _spool.Path, ["--config", _put.File("quickq.json"), "--verbosity", "trace"], environment, inside: null, journal?.AsService ?? []);

        // Every server with the right password takes messages, every other has said why not.
        var command = new SpoolCommand(_spool);
        await _spool.AwaitServersAsync(Limit);
        (await command.RunAsync("add", "-t", "a.b", "{}")).MustSucceed();
        await _spool.AwaitDeliveredAsync(1, Limit, Right.Split(' '));
        foreach (string server in Wrong.Split(' '))
        {
            await Eventually.Is($"{server} says why it cannot connect", Limit, () =>
                _spool.Value<long>("SELECT count(*) FROM server WHERE name = @server AND last_error <> ''", new { server }) == 1);
        }

        // A error under way, in an address that nobody understands; then right again.
        configuration["servers"]!["uri"]!["uri"] = $"amqp:/{_canary.InAddress}@127.0.0.1:port/{hosts.Name}";
        Write(configuration);
        agent.Reload();
        await SaysAsync(agent, journal, "the changed configuration is not used");
        CommandResult check = await CheckConfigurationAsync();
        Write(Configure());
        CommandResult rightCheck = await CheckConfigurationAsync();

        foreach (string[] look in new[] { ["status"], ["status", "--json"], ["list", "--json"], new[] { "check" } })
        {
            CommandResult result = await command.RunAsync(look);
            _canary.MustNotBeIn($"quickq-spool {string.Join(' ', look)}", result.Stdout + result.Stderr);
        }

        // What anybody may see of all processes.
        _canary.MustNotBeIn("what ps shows to anybody", await AnybodyAsync("ps -eww -o user,pid,args; cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2> /dev/null; true"));
        Assert.Equal(0, await agent.StopAsync());

        Assert.Equal(78, check.ExitCode);
        Assert.Equal(0, rightCheck.ExitCode);
        _canary.MustNotBeIn("--check-config", check.Stdout + check.Stderr + rightCheck.Stdout + rightCheck.Stderr);
        _canary.MustNotBeIn("the agent's output", agent.Stdout + agent.Stderr);
        _canary.MustNotBeIn("what systemd hears", string.Join('\n', systemd.Heard));
        _canary.MustNotBeIn("the broker's log", string.Join('\n', hosts.First.LogLinesWith("")));
        MustNotBeBelow(_spool.Folder);
        if (journal is not null)
        {
            _canary.MustNotBeIn("the journal", string.Join('\n', (await journal.ReadAsync()).Select(record => record.GetRawText())));
        }
    }

    [Fact(Timeout = 240_000)]
    public async Task Aborted_it_leaves_no_core_and_alive_it_shows_its_environment_not_even_to_its_own_account()
    {
        Assert.SkipWhen(File.ReadAllText("/proc/sys/kernel/core_pattern").StartsWith('|'), "cores go to a program here, not into the folder");
        using var control = new TempFolder("core-control");
        using var folder = new TempFolder("core");
        Write(Configure());

        // A program that does not take care, as a control: its core holds the password and its environment shows it.
        using var careless = ChildProcess.Start(Dumping[0], [.. Dumping[1..], control.Path, "sleep", "600"], Environment());
        await Eventually.Is("the control has begun", Limit, () => File.ReadAllText($"/proc/{careless.Pid}/comm").Trim() is "sleep");
        string shown = await OfItsAccountAsync($"cat /proc/{careless.Pid}/environ");
        Assert.Contains(_canary.Password, shown, StringComparison.Ordinal);
        careless.Signal(6);
        await careless.WaitForExitAsync(Limit);
        Assert.True(_canary.IsIn(await File.ReadAllBytesAsync(Assert.Single(Directory.GetFiles(control.Path)))), "the control's core holds no password: this test would find nothing");

        using var agent = AgentProcess.Start(_spool.Path, ["--config", _put.File("quickq.json")], Environment(), inside: null, [.. Dumping, folder.Path]);
        await _spool.AwaitServersAsync(Limit);
        await agent.AwaitLogAsync("file: connected", Limit);
        _canary.MustNotBeIn("the agent's environment, read by its own account", await OfItsAccountAsync($"cat /proc/{agent.Pid}/environ; cat /proc/{agent.Pid}/cmdline"));

        // The runtime passes over the first one: it only takes its handler away.
        await Eventually.Is("aborted it has ended", Limit, () =>
        {
            agent.Abort();
            return agent.HasExited;
        });
        Assert.Equal(134, agent.ExitCode);
        Assert.Empty(Directory.GetFiles(folder.Path));
        _canary.MustNotBeIn("what a crash says", agent.Stdout + agent.Stderr);
        MustNotBeBelow(_spool.Folder);
    }

    [Fact(Timeout = 240_000)]
    public async Task Short_of_descriptors_it_crashes_here_or_there_and_no_word_of_that_tells_it()
    {
        Write(Configure());
        var ends = new List<int>();
        foreach (int descriptors in new[] { 4, 6, 8, 10, 14, 20, 40, 60, 80, 100, 130, 160, 200 })
        {
            using var agent = AgentProcess.Start(
                _spool.Path, ["--config", _put.File("quickq.json"), "--verbosity", "trace"], Environment(), inside: null, "prlimit", $"--nofile={descriptors}", "--core=0");
            await Eventually.Is("it has ended, or works", Limit, () => agent.HasExited || agent.Stderr.Contains("dead: cannot connect", StringComparison.Ordinal));
            if (!agent.HasExited)
            {
                agent.Kill();
            }

            ends.Add(await agent.WaitForExitAsync(Limit));
            _canary.MustNotBeIn($"what an agent with {descriptors} descriptors says", agent.Stdout + agent.Stderr);
        }

        Assert.Contains(134, ends);
        MustNotBeBelow(_spool.Folder);
    }

    [Fact(Timeout = 240_000)]
    public async Task A_script_of_QuickMQ_shows_it_in_no_traceback_log_or_file()
    {
        await File.WriteAllTextAsync(_put.File("password"), _canary.Password);
        const string script = """
            import logging, sys, traceback
            logging.basicConfig(level=logging.DEBUG)
            import quickq, quickq.api as mq
            password, address = open(sys.argv[1]).read(), sys.argv[2] and open(sys.argv[2]).read()
            mq.connect("mq1", user="oper", password=password, exchange="satellite")
            print(mq.publish({"a": 1}, route_key="a.b"), mq.status(), quickq.connections(), mq._client, vars(mq._client))
            wrong = [
                lambda: mq.connect("mq2", user="oper", password=password, exchange="other"),
                lambda: mq.publish({"a": object()}),
                lambda: mq.publish({"a": 1}, route_key="k" * 300),
                lambda: mq.AmqpConnection.from_uri(address),
                lambda: mq.AmqpConnection("mq1", user="oper", password=password, port="x"),
                lambda: quickq.Spool("/nowhere/spool.db").publish({"a": 1}),
            ]
            failed = 0
            for call in wrong:
                try:
                    print(repr(call()))
                except Exception:
                    failed += 1
                    traceback.print_exc()
            print(failed, "failed")
            """;
        await File.WriteAllTextAsync(_put.File("address"), $"amqp:/oper:{_canary.InAddress}@mq1:port/x");
        using var python = PythonProgram.Start(_spool, script, _put.File("password"), _put.File("address"));

        Assert.Equal(0, await python.WaitForExitAsync(Limit));
        Assert.Matches("[4-6] failed", python.Stdout);
        Assert.Contains("Traceback", python.Stderr, StringComparison.Ordinal);
        _canary.MustNotBeIn("what Python says", python.Stdout + python.Stderr);
        MustNotBeBelow(_spool.Folder);
    }

    /// <summary>An account without any privilege, whose cores are as large as they get and go into the folder named next.</summary>
    private static string[] Dumping => ["setpriv", "--bounding-set=-all", "--", "sh", "-c", "ulimit -c unlimited && cd \"$0\" && exec \"$@\""];

    private static async Task<string> AnybodyAsync(string commands) => await ReadAsync(commands, "--reuid", "61905", "--regid", "61905", "--clear-groups");

    private static async Task<string> OfItsAccountAsync(string commands) => await ReadAsync(commands, "--bounding-set=-all");

    private static async Task<string> ReadAsync(string commands, params string[] account)
    {
        using var reader = ChildProcess.Start("setpriv", [.. account, "--", "sh", "-c", commands]);
        await reader.WaitForExitAsync(Limit);
        return reader.Stdout;
    }

    private static async Task SaysAsync(AgentProcess agent, JournalHost? journal, string text)
    {
        if (journal is null)
        {
            await agent.AwaitLogAsync(text, Limit);
        }
        else
        {
            await Eventually.Is($"the journal has '{text}'", Limit, async () =>
                (await journal.ReadAsync("QUICKQ_EVENT=ReloadRefused")).Any(record => record.GetProperty("MESSAGE").GetString()!.Contains(text, StringComparison.Ordinal)));
        }
    }

    private async Task<CommandResult> CheckConfigurationAsync()
    {
        using var check = ChildProcess.Start(BuiltPrograms.Agent, ["--config", _put.File("quickq.json"), "--check-config"], Environment());
        int code = await check.WaitForExitAsync(Limit);
        return new CommandResult(code, check.Stdout, check.Stderr);
    }

    private void MustNotBeBelow(string folder)
    {
        foreach (string file in Directory.GetFiles(folder, "*", SearchOption.AllDirectories))
        {
            _canary.MustNotBeIn(new FileInfo(file));
        }
    }

    private void Write(JsonObject configuration)
    {
        File.WriteAllText(_put.File("quickq.json"), configuration.ToJsonString());
        File.SetUnixFileMode(_put.File("quickq.json"), UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    private Dictionary<string, string?> Environment() => new(StringComparer.Ordinal)
    {
        ["QUICKQ__servers__environment__password"] = _canary.Password,
        ["CREDENTIALS_DIRECTORY"] = _put.File("credentials"),
    };

    /// <summary>Four servers that get the right password, each in another way; three where it leads to nothing.</summary>
    private JsonObject Configure()
    {
        Directory.CreateDirectory(_put.File("credentials"));
        foreach (string file in new[] { "password", "credentials/theirs" })
        {
            File.WriteAllText(_put.File(file), _canary.Password + "\n");
            File.SetUnixFileMode(_put.File(file), UnixFileMode.UserRead);
        }

        int port = hosts.First.Port;
        var servers = new JsonObject
        {
            ["uri"] = new JsonObject { ["uri"] = $"amqp://{hosts.Name}:{_canary.InAddress}@127.0.0.1:{port}/{hosts.Name}" },
            ["file"] = Server(port, ("passwordFile", "./password")),
            ["environment"] = Server(port),
            ["credential"] = Server(port, ("passwordFile", "theirs")),
            ["refused"] = Server(port, ("user", "stranger"), ("password", _canary.Password)),
            ["tls"] = new JsonObject { ["uri"] = $"amqps://{hosts.Name}:{_canary.InAddress}@127.0.0.1:{port}/{hosts.Name}" },
            ["dead"] = new JsonObject { ["uri"] = $"amqp://{hosts.Name}:{_canary.InAddress}@127.0.0.1:{FreePort.Next()}/{hosts.Name}" },
        };
        foreach ((_, JsonNode? server) in servers)
        {
            server!["exchange"] = "satellite";
        }

        return new JsonObject { ["spool"] = new JsonObject { ["path"] = _spool.Path }, ["servers"] = servers };
    }

    private JsonObject Server(int port, params (string Name, string Value)[] more)
    {
        var server = new JsonObject { ["host"] = "127.0.0.1", ["port"] = port, ["vhost"] = hosts.Name, ["user"] = hosts.Name };
        foreach ((string name, string value) in more)
        {
            server[name] = value;
        }

        return server;
    }
}
