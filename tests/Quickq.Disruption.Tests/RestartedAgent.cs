using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>An agent that is killed or stopped, and started again with the same configuration, any number of times.</summary>
internal sealed class RestartedAgent(AgentConfiguration configuration) : IDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);
    private AgentProcess _agent = AgentProcess.Start(configuration);

    /// <summary>The one that runs now.</summary>
    public AgentProcess Current => _agent;

    /// <summary>How often it was killed.</summary>
    public int Kills { get; private set; }

    public void KillAndStart()
    {
        Kills++;
        _agent.Kill();
        _agent.Dispose();
        _agent = AgentProcess.Start(configuration);
    }

    /// <summary>SIGTERM and its end, then a new one.</summary>
    public async Task<int> StopAndStartAsync()
    {
        var code = await StopAsync();
        _agent.Dispose();
        _agent = AgentProcess.Start(configuration);
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
