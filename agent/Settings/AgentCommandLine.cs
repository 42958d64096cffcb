using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using System.Reflection;
using Microsoft.Extensions.Logging;
using Quickq.Agent.Observability;
using Quickq.Agent.Settings;

namespace Quickq.Agent.Settings;

/// <summary>
/// The command line of quickq-agent. Parsing answers --help, --version, --check-config and every error itself: then
/// <see cref="ExitCode"/> is set and nothing is left to do. Else <see cref="Settings"/> is there and the agent runs.
/// </summary>
internal sealed record AgentCommandLine
{
    private const string Program = "quickq-agent";

    /// <summary>Not null: everything is said, return this.</summary>
    public int? ExitCode { get; private init; }

    public string ConfigPath { get; private init; } = SettingsFile.DefaultPath;

    /// <summary>What <c>--verbosity</c> says; it wins over the configuration.</summary>
    public LogLevel? Verbosity { get; private init; }

    public AgentSettings? Settings { get; private init; }

    public static AgentCommandLine Parse(IReadOnlyList<string> args, TextWriter output, TextWriter error)
    {
        var config = new Option<string>("--config", "-c")
        {
            Description = "The configuration file",
            HelpName = "FILE",
            DefaultValueFactory = _ => SettingsFile.DefaultPath,
        };
        var check = new Option<bool>("--check-config") { Description = "Check the configuration and exit" };
        var verbosity = new Option<LogLevel?>("--verbosity", "-v")
        {
            Description = $"How much to log: {Quickq.Agent.Settings.Verbosity.Names}",
            HelpName = "LEVEL",
            CustomParser = ParseVerbosity,
        };
        var root = new RootCommand("Forwards the messages of the spool to every configured RabbitMQ server.") { config, check, verbosity };
        var help = root.Options.OfType<HelpOption>().Single();
        var version = root.Options.OfType<VersionOption>().Single();

        // @FILE must not be read in place of options: no response files.
        var parsed = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.GetResult(help) is not null)
        {
            parsed.Invoke(new InvocationConfiguration { Output = output, Error = error });
            return new AgentCommandLine { ExitCode = Quickq.Agent.Settings.ExitCode.Done };
        }

        if (parsed.Errors.Count > 0)
        {
            error.WriteLine(EventText.Safe($"{Program}: {parsed.Errors[0].Message.TrimEnd('.')}; see {Program} --help"));
            return new AgentCommandLine { ExitCode = Quickq.Agent.Settings.ExitCode.Usage };
        }

        if (parsed.GetResult(version) is not null)
        {
            output.WriteLine($"{Program} {Version}");
            return new AgentCommandLine { ExitCode = Quickq.Agent.Settings.ExitCode.Done };
        }

        var line = new AgentCommandLine { ConfigPath = parsed.GetValue(config)!, Verbosity = parsed.GetValue(verbosity) };
        return line.WithSettings(parsed.GetValue(check), output, error);
    }

    /// <summary>The version of this build.</summary>
    public static string Version =>
        typeof(AgentCommandLine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    private AgentCommandLine WithSettings(bool onlyCheck, TextWriter output, TextWriter error)
    {
        var reading = SettingsFile.Read(ConfigPath);
        foreach (var invalid in reading.Errors)
        {
            error.WriteLine(invalid);
        }

        if (reading.Settings is not { } settings)
        {
            return this with { ExitCode = reading.IsForbidden ? Quickq.Agent.Settings.ExitCode.NoPermission : Quickq.Agent.Settings.ExitCode.Configuration };
        }

        if (!onlyCheck)
        {
            return this with { Settings = settings };
        }

        foreach (var note in settings.Notes)
        {
            error.WriteLine(EventText.Safe($"note: {note}"));
        }

        foreach (var line in SettingsSummary.LinesOf(settings))
        {
            output.WriteLine(EventText.Safe(line));
        }

        output.WriteLine(EventText.Safe($"{ConfigPath}: configuration OK"));
        return this with { ExitCode = Quickq.Agent.Settings.ExitCode.Done };
    }

    private static LogLevel? ParseVerbosity(ArgumentResult result)
    {
        if (Quickq.Agent.Settings.Verbosity.TryParse(result.Tokens.Single().Value, out var level))
        {
            return level;
        }

        result.AddError($"--verbosity: must be {Quickq.Agent.Settings.Verbosity.Names}, not '{result.Tokens.Single().Value}'");
        return null;
    }
}
