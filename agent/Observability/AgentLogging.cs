using Microsoft.Extensions.Logging;
using Quickq.Spool.Systemd;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Serilog.Extensions.Logging;

namespace Quickq.Agent.Observability;

/// <summary>
/// The agent's logging: Serilog, to the journal where systemd connected it, else one line for each event on standard error.
/// The level may change while it runs.
/// </summary>
internal sealed class AgentLogging : IDisposable
{
    private readonly TextWriter _output;
    private readonly LoggingLevelSwitch _level = new();
    private readonly LoggingLevelSwitch _libraries = new();

    /// <param name="level">From which level on.</param>
    /// <param name="output">Standard error, or what stands before it. Disposed with this.</param>
    /// <param name="journal">The address of the journal's socket; null writes lines to <paramref name="output"/>.</param>
    /// <param name="clock">The clock.</param>
    public AgentLogging(LogLevel level, TextWriter output, string? journal, TimeProvider clock)
    {
        SetLevel(level);
        _output = output;
        ILogEventSink lines = new LineSink(output);
        var sink = journal is null ? lines : new JournalSink(journal, lines, clock, lost => Own!.JournalLost(lost)); // told later than this constructor ends
        var logger = new LoggerConfiguration()
            .MinimumLevel.ControlledBy(_level)
            .MinimumLevel.Override("Microsoft", _libraries)
            .WriteTo.Sink(new FloodLimit(sink, clock, TellLeftOut))
            .CreateLogger();
        Factory = new SerilogLoggerFactory(logger, dispose: true);
        Own = Factory.CreateLogger(JournalRecord.Identifier);
    }

    public ILoggerFactory Factory { get; }

    /// <summary>The log of the agent as a whole.</summary>
    public Microsoft.Extensions.Logging.ILogger Own { get; }

    /// <summary>The journal, when systemd started this process with standard error connected to it.</summary>
    public static AgentLogging Start(LogLevel level, TextWriter error)
    {
        string? journal = JournalStream.IsStandardError ? JournalSink.Address : null;
        var lines = new BufferedStderrWriter(error);
        var logging = new AgentLogging(level, lines, journal, TimeProvider.System);
        lines.Drained = lost => logging.Own.LinesLost(lost);
        return logging;
    }

    /// <summary>Writes this as a line of its own to standard error, after the lines before it: the word of a program that does not start.</summary>
    public void Say(string text) => _output.Write(EventText.Safe(text) + "\n");

    public void SetLevel(LogLevel level)
    {
        _level.MinimumLevel = LevelConvert.ToSerilogLevel(level);

        // Host and configuration libraries tell their own life; of interest only to who asks for everything.
        _libraries.MinimumLevel = level <= LogLevel.Debug ? LogEventLevel.Debug : LogEventLevel.Warning;
    }

    public void Dispose()
    {
        Factory.Dispose();
        _output.Dispose();
    }

    private void TellLeftOut(LeftOut left)
    {
        if (left.Server is { } server)
        {
            Own.ServerLinesLeftOut(server, left.Count, left.Kind, FloodLimit.Window);
        }
        else
        {
            Own.LinesLeftOut(left.Count, left.Kind, FloodLimit.Window);
        }
    }
}
