using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Quickq.Spool;
using Serilog.Events;
using Serilog.Parsing;

namespace Quickq.Agent.Observability;

/// <summary>
/// The words of a log event, as every log shows them: on one line, control and format characters as escapes (<see cref="SafeText"/>), so that a broker's words can
/// neither break a line nor forge or hide one; and without the password of any address within them, whoever's words they are.
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

        return Safe(text.ToString());
    }

    /// <summary>Any text as it may leave the agent: on one line, nothing in it that steers a terminal, and no password of an address.</summary>
    public static string Safe(string text) => SafeText.OneLine(WithoutPasswords(text));

    /// <summary><c>amqp://oper:secret@mq1/</c> becomes <c>amqp://***@mq1/</c>; any other scheme likewise.</summary>
    public static string WithoutPasswords(string text) =>
        text.Contains("://", StringComparison.Ordinal) ? Login().Replace(text, "://***@") : text;

    // Up to the last @ before the path: a password that holds an @ unescaped must not show its second half. A user alone is no secret.
    [GeneratedRegex(@"://[^\s/]*:[^\s/]*@", RegexOptions.None, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Login();
}
