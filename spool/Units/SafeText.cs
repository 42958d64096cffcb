using System.Buffers;
using System.Globalization;
using System.Text;

namespace Quickq.Spool;

/// <summary>Makes text from outside safe to show: it cannot steer a terminal, reorder or hide what is beside it, or start a line of its own.</summary>
/// <remarks>
/// Everything that a person reads passes here once, where it leaves: table cells, lines on a terminal, error lines, log lines. What is meant for programs (JSON, bodies, ids on
/// standard output) stays exact. Control characters, the Unicode category Cf (bidi overrides, zero-width characters, tags), line and paragraph separators and
/// unpaired surrogates become escapes: <c>\n</c>, <c>\u001b</c>, <c>\u202e</c>, <c>\U000e0041</c>.
/// </remarks>
internal static class SafeText
{
    /// <summary>The text on one line.</summary>
    public static string OneLine(string text) => Escape(text, keepLines: false);

    /// <summary>The text with its line ends and tabs; everything else as in <see cref="OneLine"/>. Only for text that starts on a line of its own.</summary>
    public static string Lines(string text) => Escape(text, keepLines: true);

    private static string Escape(string text, bool keepLines)
    {
        int first = text.AsSpan().IndexOfAnyExceptInRange(' ', '~');
        if (first < 0)
        {
            return text;
        }

        StringBuilder? safe = null;
        for (int at = first; at < text.Length;)
        {
            bool paired = Rune.DecodeFromUtf16(text.AsSpan(at), out Rune rune, out int length) == OperationStatus.Done;
            if (paired && (!IsUnsafe(rune) || (keepLines && rune.Value is '\n' or '\t')))
            {
                safe?.Append(text, at, length);
            }
            else
            {
                safe ??= new StringBuilder(text, 0, at, text.Length + 32);
                AppendEscape(safe, paired ? rune.Value : text[at]);
            }

            at += length;
        }

        return safe?.ToString() ?? text;
    }

    private static bool IsUnsafe(Rune rune) => Rune.GetUnicodeCategory(rune)
        is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;

    private static void AppendEscape(StringBuilder safe, int value) => _ = value switch
    {
        '\n' => safe.Append("\\n"),
        '\r' => safe.Append("\\r"),
        '\t' => safe.Append("\\t"),
        <= 0xFFFF => safe.Append(CultureInfo.InvariantCulture, $"\\u{value:x4}"),
        _ => safe.Append(CultureInfo.InvariantCulture, $"\\U{value:x8}"),
    };
}
