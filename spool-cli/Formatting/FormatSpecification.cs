using System.Globalization;
using System.Text;

namespace Quickq.SpoolCli.Formatting;

/// <summary>
/// A format specification as Python's <c>str.format</c> knows it:
/// <c>[[fill]align][sign][#][0][width][grouping][.precision][type]</c>.
/// </summary>
/// <remarks>Python's <c>z</c> (3.11) and grouping behind the decimal point (3.14) are not part of it: older interpreters refuse them.</remarks>
internal sealed record FormatSpecification
{
    /// <summary>No routing key is longer, so no place in one can be wider.</summary>
    public const int MaxWidth = 255;

    private const string Alignments = "<>=^", Signs = "+- ", Types = "sdnboxXceEfFgG%", Grouped = "deEfFgG%", GroupedByFour = "boxX";

    /// <summary>No specification.</summary>
    public static FormatSpecification None { get; } = new();

    /// <summary>Whether there is none: each value then has its plain form.</summary>
    public bool IsEmpty { get; private init; } = true;

    public Rune Fill { get; private init; } = new(' ');

    /// <summary>One of <c>&lt; &gt; = ^</c>; null is the value's own: text to the left, numbers to the right.</summary>
    public char? Align { get; private init; }

    /// <summary>One of <c>+ - space</c>, or null.</summary>
    public char? Sign { get; private init; }

    /// <summary>The form with <c>#</c>.</summary>
    public bool IsAlternate { get; private init; }

    /// <summary>The 0 before the width: numbers get zeros between sign and digits.</summary>
    public bool IsZeroPadded { get; private init; }

    public int? Width { get; private init; }

    /// <summary><c>,</c> or <c>_</c>, or null.</summary>
    public char? Grouping { get; private init; }

    public int? Precision { get; private init; }

    /// <summary>The presentation type, or null.</summary>
    public char? Type { get; private init; }

    /// <exception cref="FormatException">It is no specification; the message says why.</exception>
    public static FormatSpecification Parse(string text)
    {
        if (text.Length == 0)
        {
            return None;
        }

        ReadOnlySpan<char> rest = text;
        Rune? fill = null;
        char? align = null;
        _ = Rune.DecodeFromUtf16(rest, out var first, out var firstLength);
        if (rest.Length > firstLength && Alignments.Contains(rest[firstLength], StringComparison.Ordinal))
        {
            (fill, align) = (first, rest[firstLength]);
            rest = rest[(firstLength + 1)..];
        }
        else
        {
            align = Take(ref rest, Alignments);
        }

        var sign = Take(ref rest, Signs);
        var isAlternate = Take(ref rest, "#") is not null;
        var isZeroPadded = fill is null && Take(ref rest, "0") is not null;
        var width = TakeNumber(ref rest);
        var grouping = Take(ref rest, ",_");
        int? precision = null;
        if (Take(ref rest, ".") is not null)
        {
            precision = TakeNumber(ref rest) ?? throw new FormatException("a precision is missing after '.'");
        }

        var type = Take(ref rest, Types);
        if (!rest.IsEmpty)
        {
            throw new FormatException($"'{rest}' is not part of a specification");
        }

        if (width > MaxWidth)
        {
            throw new FormatException("the width is larger than the 255 bytes of a routing key");
        }

        if (grouping is { } separator && type is { } given && !Grouped.Contains(given, StringComparison.Ordinal)
            && !(separator == '_' && GroupedByFour.Contains(given, StringComparison.Ordinal)))
        {
            throw new FormatException($"'{separator}' does not go with the type '{given}'");
        }

        return new FormatSpecification
        {
            IsEmpty = false,
            Fill = fill ?? new Rune(isZeroPadded ? '0' : ' '),
            Align = align,
            Sign = sign,
            IsAlternate = isAlternate,
            IsZeroPadded = isZeroPadded,
            Width = width,
            Grouping = grouping,
            Precision = precision,
            Type = type,
        };
    }

    private static char? Take(ref ReadOnlySpan<char> rest, string among)
    {
        if (rest.IsEmpty || !among.Contains(rest[0], StringComparison.Ordinal))
        {
            return null;
        }

        var taken = rest[0];
        rest = rest[1..];
        return taken;
    }

    private static int? TakeNumber(ref ReadOnlySpan<char> rest)
    {
        var length = rest.IndexOfAnyExceptInRange('0', '9') is >= 0 and var end ? end : rest.Length;
        var digits = rest[..length];
        rest = rest[length..];
        if (length == 0)
        {
            return null;
        }

        return int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
            : throw new FormatException($"'{digits}' is too large a number");
    }
}
