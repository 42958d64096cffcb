using Microsoft.Extensions.Logging;
using Quickq.Agent.Settings;

namespace Quickq.Agent.Tests.Settings;

public sealed class AgentCommandLineTests : IDisposable
{
    private readonly SettingsFolder _folder = new();
    private readonly StringWriter _output = new();
    private readonly StringWriter _error = new();

    [Fact]
    public void Right_settings_let_the_agent_run()
    {
        _folder.Write("quickq.json", "{}");

        var line = Parse("--config", _folder.ConfigPath, "--verbosity", "Debug");

        Assert.Null(line.ExitCode);
        Assert.NotNull(line.Settings);
        Assert.Equal((_folder.ConfigPath, LogLevel.Debug), (line.ConfigPath, line.Verbosity!.Value));
        Assert.Equal(("", ""), (_output.ToString(), _error.ToString()));
    }

    [Fact]
    public void Wrong_settings_end_with_78_and_one_line_for_each_mistake()
    {
        _folder.Write("quickq.json", """{ "logLevel": "loud", "servers": { "mq1": {} } }""");

        Assert.Equal(78, Parse("--config", _folder.ConfigPath).ExitCode);
        Assert.Equal(["servers.mq1.host", "servers.mq1.exchange", "logLevel"], _error.ToString().TrimEnd().Split('\n').Select(line => line.Split(':')[0]));
        Assert.Empty(_output.ToString());
    }

    [Fact]
    public void A_check_prints_what_the_agent_would_do_and_no_password()
    {
        _folder.Write("quickq.json", """
            { "spool": { "path": "/s.db" },
              "servers": { "mq1": { "uri": "amqps://oper:hunter2@mq1/v", "exchange": "satellite" },
                           "mq2": { "hosts": ["a", "b:1"], "passwordFile": "/p", "exchange": "" } } }
            """);

        Assert.Equal(0, Parse("--check-config", "-c", _folder.ConfigPath).ExitCode);
        Assert.Equal(
            $"""
            spool /s.db: up to 10GiB, messages up to 16MiB, delivered ones kept 7d, 512MiB or 5 % of the disk left free
            server mq1: mq1:5671 (TLS), vhost v, user oper, password ***, exchange satellite, window 1000 messages and 8MiB
            server mq2: a:5672, b:1 (not encrypted), vhost /, user guest, password in /p, the default exchange, window 1000 messages and 8MiB
            {_folder.ConfigPath}: configuration OK

            """, _output.ToString());
        Assert.StartsWith("note: servers.mq2.passwordFile: ", _error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--confg")]
    [InlineData("stray")]
    [InlineData("@file")]
    [InlineData("--config")]
    [InlineData("--verbosity loud")]
    [InlineData("--config a --config b")]
    public void A_wrong_command_line_ends_with_64_and_one_line(string args)
    {
        Assert.Equal(64, Parse(args.Split(' ')).ExitCode);
        Assert.Matches(@"\Aquickq-agent: [^\n]+; see quickq-agent --help\n\z", _error.ToString());
        Assert.Empty(_output.ToString());
    }

    [Fact]
    public void A_wrong_level_is_told_with_the_right_ones()
    {
        Parse("--verbosity", "loud");
        Assert.Equal("quickq-agent: --verbosity: must be trace, debug, information, warning, error or critical, not 'loud'; see quickq-agent --help\n", _error.ToString());
    }

    [Fact]
    public void Help_and_version_go_to_standard_output()
    {
        Assert.Equal(0, Parse("--version").ExitCode);
        Assert.Matches(@"\Aquickq-agent \d+\.\d+\.\d+\n\z", _output.ToString());
        Assert.Equal(0, Parse("--help").ExitCode);
        Assert.Contains("--check-config", _output.ToString(), StringComparison.Ordinal);
        Assert.Empty(_error.ToString());
    }

    public void Dispose() => _folder.Dispose();

    private AgentCommandLine Parse(params string[] args) => AgentCommandLine.Parse(args, _output, _error);
}
