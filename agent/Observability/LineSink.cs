using System.Globalization;
using System.Text;
using Serilog.Core;
using Serilog.Events;

namespace Quickq.Agent.Observability;

/// <summary>
/// Writes each event as exactly one line: UTC time, level, message. Control characters are written as escapes, so that a
/// broker's words can neither break a line nor forge one. Events are written whole, whichever threads they come from.
/// </summary>
internal sealed class LineSink(TextWriter output) : ILogEventSink
{
    private readonly Lock _writing = new();

    public void Emit(LogEvent logEvent)
    {
        var line = new StringBuilder(160);
        line.Append(logEvent.Timestamp.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
        line.Append(' ').Append(NameOf(logEvent.Level)).Append(' ');
        AppendEscaped(line, Render(logEvent));
        if (logEvent.Exception is { } exception)
        {
            line.Append(" | ");
            AppendEscaped(line, exception.ToString());
        }

        line.Append('\n');
        lock (_writing)
        {
            try
            {
                output.Write(line);
                output.Flush();
            }
            catch (IOException)
            {
                // Standard error is gone (its reader died). The agent goes on delivering; there is nobody to tell.
            }
        }
    }

    // Texts without the quotation marks that Serilog puts around them.
    private static string Render(LogEvent logEvent)
    {
        var text = new StringBuilder();
        foreach (var token in logEvent.MessageTemplate.Tokens)
        {
            if (token is Serilog.Parsing.PropertyToken named && logEvent.Properties.GetValueOrDefault(named.PropertyName) is ScalarValue { Value: string value })
            {
                text.Append(value);
                continue;
            }

            using var writer = new StringWriter(text, CultureInfo.InvariantCulture);
            token.Render(logEvent.Properties, writer, CultureInfo.InvariantCulture);
        }

        return text.ToString();
    }

    private static void AppendEscaped(StringBuilder line, string text)
    {
        foreach (var character in text)
        {
            switch (character)
            {
                case '\n': line.Append("\\n"); break;
                case '\r': line.Append("\\r"); break;
                case '\t': line.Append("\\t"); break;
                case var _ when char.IsControl(character): line.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}"); break;
                default: line.Append(character); break;
            }
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
