using System.Globalization;
using System.Text;

namespace Quickq.SpoolCli.Formatting;

/// <summary>A string as Python's <c>repr</c> and <c>ascii</c> write it.</summary>
internal static class PythonRepresentation
{
    /// <summary>In quotation marks, with what is not printable (or, where asked, not ASCII) as an escape.</summary>
    public static string Of(string value, bool isAscii)
    {
        var quote = value.Contains('\'', StringComparison.Ordinal) && !value.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        var text = new StringBuilder().Append(quote);
        foreach (var rune in value.EnumerateRunes())
        {
            _ = rune.Value switch
            {
                '\\' => text.Append(@"\\"),
                '\n' => text.Append(@"\n"),
                '\r' => text.Append(@"\r"),
                '\t' => text.Append(@"\t"),
                _ when rune.Value == quote => text.Append('\\').Append(quote),
                _ when IsPrintable(rune) && (!isAscii || rune.IsAscii) => text.Append(rune.ToString()),
                <= 0xFF => text.Append(CultureInfo.InvariantCulture, $@"\x{rune.Value:x2}"),
                <= 0xFFFF => text.Append(CultureInfo.InvariantCulture, $@"\u{rune.Value:x4}"),
                _ => text.Append(CultureInfo.InvariantCulture, $@"\U{rune.Value:x8}"),
            };
        }

        return text.Append(quote).ToString();
    }

    private static bool IsPrintable(Rune rune) => rune.Value == ' ' || Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);
}
