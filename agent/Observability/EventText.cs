using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Serilog.Events;
using Serilog.Parsing;

namespace Quickq.Agent.Observability;

/// <summary>
/// The words of a log event, as every log shows them: on one line, control characters as escapes, so that a broker's words can
/// neither break a line nor forge one; and without the password of any address within them, whoever's words they are.
/// </summary>
internal static partial class EventText
{
    /// <summary>The event's message with its values in place, texts without quotation marks.</summary>
    public static string MessageOf(LogEvent logEvent)
    {
        var text = new StringBuilder();
        foreach (var token in logEvent.MessageTemplate.Tokens)
        {
            if (token is PropertyToken named && logEvent.Properties.GetValueOrDefault(named.PropertyName) is ScalarValue { Value: string value })
            {
                text.Append(value);
                continue;
            }

            using var writer = new StringWriter(text, CultureInfo.InvariantCulture);
            token.Render(logEvent.Properties, writer, CultureInfo.InvariantCulture);
        }

        return OnOneLine(WithoutPasswords(text.ToString()));
    }

    /// <summary>The same text with escapes in place of control characters.</summary>
    public static string OnOneLine(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\0', '\u001f') && !text.AsSpan().ContainsAnyInRange('\u007f', '\u009f'))
        {
            return text;
        }

        var line = new StringBuilder(text.Length + 16);
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

        return line.ToString();
    }

    /// <summary><c>amqp://oper:secret@mq1/</c> becomes <c>amqp://***@mq1/</c>; any other scheme likewise.</summary>
    public static string WithoutPasswords(string text) =>
        text.Contains("://", StringComparison.Ordinal) ? Login().Replace(text, "://***@") : text;

    // Up to the last @ before the path: a password that holds an @ unescaped must not show its second half. A user alone is no secret.
    [GeneratedRegex(@"://[^\s/]*:[^\s/]*@", RegexOptions.None, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Login();
}
