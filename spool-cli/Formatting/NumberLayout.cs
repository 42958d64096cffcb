using System.Text;

namespace Quickq.SpoolCli.Formatting;

/// <summary>A number's parts before they are laid out: what a specification's sign, grouping, zeros and padding work on.</summary>
/// <param name="IsNegative">It has a minus.</param>
/// <param name="Prefix"><c>0x</c> and the like.</param>
/// <param name="Digits">The digits before the decimal point; empty for <c>inf</c>, <c>nan</c> and a single character.</param>
/// <param name="Rest">The decimal point and what follows, or what has no digits at all.</param>
internal readonly record struct NumberLayout(bool IsNegative, string Prefix, string Digits, string Rest)
{
    /// <summary>The number as the specification asks: sign, prefix, zeros, grouped digits, rest, padded to the width.</summary>
    public string Format(FormatSpecification specification)
    {
        var sign = IsNegative ? "-" : specification.Sign is '+' or ' ' ? specification.Sign.ToString()! : "";
        var align = specification.Align ?? (specification.IsZeroPadded ? '=' : '>');
        var restLength = CountCharacters(Rest);
        var others = sign.Length + Prefix.Length + restLength;
        var zerosUpTo = specification.Fill.Value == '0' && align == '=' ? (specification.Width ?? 0) - others : 0;
        var groups = specification.Grouping is null ? int.MaxValue : specification.Type is 'b' or 'o' or 'x' or 'X' ? 4 : 3;
        var grouped = Digits.Length == 0 ? "" : Group(Digits, zerosUpTo, groups, specification.Grouping);
        var padding = Math.Max(0, (specification.Width ?? 0) - others - grouped.Length);
        var text = new StringBuilder();
        var before = align switch { '>' => padding, '^' => padding / 2, _ => 0 };
        Append(text, specification.Fill, before).Append(sign).Append(Prefix);
        Append(text, specification.Fill, align == '=' ? padding : 0).Append(grouped).Append(Rest);
        return Append(text, specification.Fill, align is '<' or '^' ? padding - before : 0).ToString();
    }

    /// <summary>The fill, as often as said.</summary>
    public static StringBuilder Append(StringBuilder text, Rune fill, int count)
    {
        for (; count > 0; count--)
        {
            _ = text.Append(fill.ToString());
        }

        return text;
    }

    private static int CountCharacters(string text)
    {
        var count = 0;
        foreach (var _ in text.EnumerateRunes())
        {
            count++;
        }

        return count;
    }

    /// <summary>The digits in groups from the right, with zeros in front up to a width that counts the separators.</summary>
    private static string Group(string digits, int minWidth, int size, char? separator)
    {
        var groups = new List<string>();
        var remaining = digits.Length;
        while (true)
        {
            var length = Math.Min(size, Math.Max(Math.Max(remaining, minWidth), 1));
            var taken = Math.Min(remaining, length);
            groups.Add(digits[(remaining - taken)..remaining].PadLeft(length, '0'));
            remaining -= taken;
            minWidth -= length;
            if (remaining <= 0 && minWidth <= 0)
            {
                groups.Reverse();
                return string.Join(separator?.ToString(), groups);
            }

            minWidth--;
        }
    }
}
