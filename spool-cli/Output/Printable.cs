using System.Globalization;
using System.Text;

namespace Quickq.SpoolCli.Output;

/// <summary>Makes texts and numbers fit to be looked at: what came from outside must not steer the terminal.</summary>
internal static class Printable
{
    /// <summary>The text with control characters replaced, line ends and tabs kept if wanted.</summary>
    public static string Text(string text, bool keepLines = false)
    {
        var clean = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            clean.Append(char.IsControl(c) && !(keepLines && c is '\n' or '\t') ? '\uFFFD' : c);
        }

        return clean.ToString();
    }

    /// <summary>A count with separators: <c>1,234</c>.</summary>
    public static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A count of things: <c>1 message</c>, <c>2 messages</c>.</summary>
    public static string Count(long count, string thing) => $"{Count(count)} {thing}{(count == 1 ? "" : "s")}";

    /// <summary>A count of things with a plural of their own: <c>1 delivery</c>, <c>2 deliveries</c>.</summary>
    public static string Count(long count, string one, string many) => $"{Count(count)} {(count == 1 ? one : many)}";
}
