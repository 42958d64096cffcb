using System.Text;
using Microsoft.Extensions.Logging;
using Quickq.Agent.Forwarding;
using Quickq.Agent.Observability;
using Quickq.Agent.Settings;
using Quickq.Agent;
using Quickq.Spool.Systemd;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>The whole agent inside the test, on a clock that runs twenty times faster; spool, network and brokers are the real ones.</summary>
internal sealed class FastAgent : IAsyncDisposable
{
    public const int Factor = 20;

    private readonly LogText _log = new();
    private readonly AgentLogging _logging;
    private readonly SystemdNotice _notice = new(socket: null, watchdogPeriod: null, TimeProvider.System);
    private readonly ReloadRequest _reload = new();
    private readonly AgentService _service;

    private FastAgent(AgentConfiguration configuration)
    {
        var file = Path.Combine(Path.GetDirectoryName(configuration.SpoolPath)!, "quickq.json");
        configuration.WriteTo(file);
        var line = AgentCommandLine.Parse(["--config", file], _log, _log);
        _logging = new AgentLogging(LogLevel.Information, _log, journal: null, TimeProvider.System);
        _service = new AgentService(line.Settings!, line, _logging, _notice, _reload, Clock, _logging.Factory.CreateLogger<AgentService>());
        FailureReport.Watch(this, () => $"log of the agent inside the test:\n{Log}");
    }

    public FastClock Clock { get; } = new(Factor);

    public string Log => _log.ToString();

    public static async Task<FastAgent> StartAsync(AgentConfiguration configuration)
    {
        var agent = new FastAgent(configuration);
        await agent._service.StartAsync(CancellationToken.None);
        return agent;
    }

    public Task AwaitLogAsync(string text, TimeSpan limit) =>
        Eventually.Is($"the agent's log holds '{text}'", limit, () => Log.Contains(text, StringComparison.Ordinal));

    public Task StopAsync() => _service.StopAsync(CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        FailureReport.Forget(this);
        FailureReport.Keep($"log of the agent inside the test:\n{Log}");
        await StopAsync();
        _service.Dispose();
        _notice.Dispose();
        _logging.Dispose();
    }

    private sealed class LogText : StringWriter
    {
        private readonly Lock _gate = new();
        private readonly StringBuilder _text = new();

        public override void Write(string? value)
        {
            lock (_gate)
            {
                _text.Append(value);
            }
        }

        public override string ToString()
        {
            lock (_gate)
            {
                return _text.ToString();
            }
        }
    }
}
