using Quickq.Testing;
using Quickq.Testing.Network;

namespace Quickq.Disruption.Tests;

/// <summary>An agent that is killed or stopped, and started again with the same configuration, any number of times.</summary>
internal sealed class RestartedAgent(AgentConfiguration configuration, NetworkNamespace? inside = null) : IDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);
    private AgentProcess _agent = AgentProcess.Start(configuration, environment: null, inside);
    private string _earlier = "";

    /// <summary>What it is configured with.</summary>
    public AgentConfiguration Configuration => configuration;

    /// <summary>The one that runs now.</summary>
    public AgentProcess Current => _agent;

    /// <summary>How often it was killed.</summary>
    public int Kills { get; private set; }

    /// <summary>What all of them logged.</summary>
    public string Log => _earlier + _agent.Stderr;

    public void KillAndStart()
    {
        Kill();
        Start();
    }

    public void Kill()
    {
        Kills++;
        _agent.Kill();
    }

    /// <summary>The next one, after the end of the one before.</summary>
    public void Start()
    {
        _earlier = Log;
        _agent.Dispose();
        _agent = AgentProcess.Start(configuration, environment: null, inside);
    }

    /// <summary>SIGTERM and its end, then a new one.</summary>
    public async Task<int> StopAndStartAsync()
    {
        var code = await StopAsync();
        Start();
        return code;
    }

    /// <summary>SIGTERM, once it works; gives the exit code.</summary>
    public async Task<int> StopAsync()
    {
        await _agent.AwaitLogAsync("connected to", StartLimit);
        return await _agent.StopAsync();
    }

    public void Dispose() => _agent.Dispose();
}
