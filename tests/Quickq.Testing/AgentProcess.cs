using Quickq.Testing.Network;

namespace Quickq.Testing;

/// <summary>The real agent as a child process: it can be stopped, killed and frozen, and its log is kept for failure reports.</summary>
public sealed class AgentProcess : IDisposable
{
    private const int SigHup = 1;
    private const int SigAbrt = 6;
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(30);
    private readonly string _spoolPath;
    private readonly ChildProcess _child;
    private bool _disposed;

    private AgentProcess(string spoolPath, ChildProcess child)
    {
        _spoolPath = spoolPath;
        _child = child;
        FailureReport.Watch(this, Describe);
    }

    public int Pid => _child.Pid;

    public bool HasExited => _child.HasExited;

    public int ExitCode => _child.ExitCode;

    public string Stdout => _child.Stdout;

    /// <summary>The agent's log so far.</summary>
    public string Stderr => _child.Stderr;

    /// <summary>Writes the configuration beside the spool and starts the agent with it.</summary>
    /// <param name="configuration">What it is to do.</param>
    /// <param name="environment">Added to its environment.</param>
    /// <param name="inside">The network that it runs in, if it is not the machine's.</param>
    /// <param name="within">A program with its arguments that becomes the agent at last (nsenter, prlimit, env); none starts it directly.</param>
    public static AgentProcess Start(AgentConfiguration configuration, IReadOnlyDictionary<string, string?>? environment = null, NetworkNamespace? inside = null, params string[] within)
    {
        configuration.Write();
        return Start(configuration.SpoolPath, ["--config", configuration.FilePath], environment, inside, within);
    }

    /// <summary>Starts the agent with exactly these arguments.</summary>
    public static AgentProcess Start(string spoolPath, IEnumerable<string> arguments, IReadOnlyDictionary<string, string?>? environment = null, NetworkNamespace? inside = null, params string[] within)
    {
        string[] all = [.. within, BuiltPrograms.Agent, .. arguments];
        var child = inside is null ? ChildProcess.Start(all[0], all[1..], environment) : inside.Start(all[0], all[1..], environment);
        child.Stdin.Close();
        return new AgentProcess(spoolPath, child);
    }

    /// <summary>SIGTERM; gives the exit code.</summary>
    public Task<int> StopAsync() => _child.StopAsync(StopLimit);

    /// <summary>kill -9.</summary>
    public void Kill() => _child.Kill();

    /// <summary>SIGHUP: it reads its configuration again.</summary>
    public void Hangup() => _child.Signal(ChildProcess.HangUp);

    /// <inheritdoc cref="ChildProcess.PauseAsync"/>
    public Task PauseAsync() => _child.PauseAsync();

    public void Resume() => _child.Resume();

    /// <summary>SIGHUP: it reads its configuration again.</summary>
    public void Reload() => _child.Signal(SigHup);

    /// <summary>SIGABRT, as systemd's watchdog sends it.</summary>
    public void Abort() => _child.Signal(SigAbrt);

    public Task<int> WaitForExitAsync(TimeSpan limit) => _child.WaitForExitAsync(limit);

    /// <summary>Waits until the log holds a text.</summary>
    public Task AwaitLogAsync(string text, TimeSpan limit) =>
        Eventually.Is($"the agent's log holds '{text}'", limit, () => Stderr.Contains(text, StringComparison.Ordinal));

    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        FailureReport.Forget(this);
        _child.Dispose();
        FailureReport.Keep(Describe());
    }

    private string Describe() =>
        $"log of agent {Pid} ({(HasExitedQuietly() ? "ended" : "running")}), spool {_spoolPath}:\n{LastLines(Stderr)}\n" +
        (File.Exists(_spoolPath) ? $"quickq-spool status:\n{SpoolCommand.Describe(_spoolPath)}" : "(no spool)");

    private bool HasExitedQuietly() => _disposed || _child.HasExited;

    private static string LastLines(string log) => string.Join('\n', log.Split('\n').TakeLast(80));
}
