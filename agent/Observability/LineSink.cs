using System.Globalization;
using Serilog.Core;
using Serilog.Events;

namespace Quickq.Agent.Observability;

/// <summary>Writes each event as exactly one line: UTC time, level, message. Events are written whole, whichever threads they come from.</summary>
internal sealed class LineSink(TextWriter output) : ILogEventSink
{
    private readonly Lock _writing = new();

    public void Emit(LogEvent logEvent)
    {
        var time = logEvent.Timestamp.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        var exception = logEvent.Exception is { } thrown ? " | " + EventText.Safe(thrown.ToString()) : "";
        var line = $"{time} {NameOf(logEvent.Level)} {EventText.MessageOf(logEvent)}{exception}\n";
        lock (_writing)
        {
            output.Write(line);
        }
    }

    private static string NameOf(LogEventLevel level) => level switch
    {
        LogEventLevel.Verbose => "TRACE",
        LogEventLevel.Debug => "DEBUG",
        LogEventLevel.Information => "INFO",
        LogEventLevel.Warning => "WARN",
        LogEventLevel.Error => "ERROR",
        _ => "CRITICAL",
    };
}
