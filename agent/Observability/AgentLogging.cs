using Microsoft.Extensions.Logging;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Serilog.Extensions.Logging;

namespace Quickq.Agent.Observability;

/// <summary>The agent's logging: Serilog, one line for each event on standard error, at a level that a reload may change.</summary>
internal sealed class AgentLogging : IDisposable
{
    private readonly LoggingLevelSwitch _level;

    public AgentLogging(LogLevel level, TextWriter output)
    {
        _level = new LoggingLevelSwitch(LevelConvert.ToSerilogLevel(level));
        var logger = new LoggerConfiguration()
            .MinimumLevel.ControlledBy(_level)
            // Host and configuration libraries tell their own life; of interest only to who asks for everything.
            .MinimumLevel.Override("Microsoft", level <= LogLevel.Debug ? LogEventLevel.Debug : LogEventLevel.Warning)
            .WriteTo.Sink(new LineSink(output))
            .CreateLogger();
        Factory = new SerilogLoggerFactory(logger, dispose: true);
    }

    public ILoggerFactory Factory { get; }

    public void SetLevel(LogLevel level) => _level.MinimumLevel = LevelConvert.ToSerilogLevel(level);

    public void Dispose() => Factory.Dispose();
}
