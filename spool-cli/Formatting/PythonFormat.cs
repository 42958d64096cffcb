using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;

namespace Quickq.SpoolCli.Formatting;

/// <summary>Formats a JSON value as Python's <c>str.format</c> formats what <c>json.loads</c> makes of it.</summary>
/// <remarks>Strings are <c>str</c>; numbers without point and exponent <c>int</c> of any size, others <c>float</c>; true, false and null are <c>True</c>, <c>False</c> and <c>None</c>.</remarks>
internal static class PythonFormat
{
    /// <summary>As many digits as Python reads.</summary>
    private const int MostDigits = 4300;

    private const string IntegerTypes = "dnboxXc", FloatTypes = "eEfFgGn%", BothFloatTypes = "eEfFgG%";

    /// <param name="value">A string, a number, true, false or null.</param>
    /// <param name="conversion"><c>s</c>, <c>r</c> or <c>a</c>: the value becomes text first. Or null.</param>
    /// <param name="specification">How it is formatted.</param>
    /// <exception cref="FormatException">The value cannot be formatted so; the message says why, without the value.</exception>
    public static string Format(JsonElement value, char? conversion, FormatSpecification specification)
    {
        if (conversion is not null)
        {
            return FormatText(Convert(value, conversion.Value), specification);
        }

        return value.ValueKind switch
        {
            JsonValueKind.String => FormatText(value.GetString()!, specification),
            JsonValueKind.Number => IsInteger(value) ? FormatInteger(ReadInteger(value), specification, "an integer") : FormatFloat(value.GetDouble(), specification),
            _ when specification.IsEmpty => Plain(value),
            JsonValueKind.True or JsonValueKind.False => FormatInteger(value.ValueKind == JsonValueKind.True ? 1 : 0, specification, "true or false"),
            _ => throw new FormatException("null takes no specification; write !s before it"),
        };
    }

    private static string Convert(JsonElement value, char conversion) => value.ValueKind != JsonValueKind.String ? Plain(value)
        : conversion == 's' ? value.GetString()!
        : PythonRepresentation.Of(value.GetString()!, isAscii: conversion == 'a');

    private static string Plain(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Number => IsInteger(value) ? ReadInteger(value).ToString(CultureInfo.InvariantCulture) : FloatText.Shortest(value.GetDouble()),
        JsonValueKind.True => "True",
        JsonValueKind.False => "False",
        _ => "None",
    };

    private static bool IsInteger(JsonElement value) => value.GetRawText().AsSpan().IndexOfAny('.', 'e', 'E') < 0;

    private static BigInteger ReadInteger(JsonElement value) => value.TryGetInt64(out var small) ? small
        : value.GetRawText() is { Length: <= MostDigits } text ? BigInteger.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture)
        : throw new FormatException("an integer has at most 4,300 digits");

    private static string FormatText(string text, FormatSpecification specification)
    {
        if (specification.IsEmpty)
        {
            return text;
        }

        if (specification.Type is { } type and not 's')
        {
            throw Unknown(type, "text");
        }

        if ((specification.Sign ?? (specification.IsAlternate ? '#' : specification.Grouping) ?? (specification.Align == '=' ? '=' : null)) is { } forNumbers)
        {
            throw new FormatException($"'{forNumbers}' is for numbers, and the value is text");
        }

        var length = 0;
        var count = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            if (count == (specification.Precision ?? int.MaxValue))
            {
                break;
            }

            length += rune.Utf16SequenceLength;
            count++;
        }

        var padding = Math.Max(0, (specification.Width ?? 0) - count);
        var before = specification.Align switch { '>' => padding, '^' => padding / 2, _ => 0 };
        var padded = NumberLayout.Append(new StringBuilder(), specification.Fill, before).Append(text, 0, length);
        return NumberLayout.Append(padded, specification.Fill, padding - before).ToString();
    }

    private static string FormatInteger(BigInteger value, FormatSpecification specification, string what)
    {
        if (specification.Type is { } named && BothFloatTypes.Contains(named, StringComparison.Ordinal))
        {
            return FormatFloat(ToDouble(value), specification);
        }

        var type = specification.Type ?? 'd';
        if (!IntegerTypes.Contains(type, StringComparison.Ordinal))
        {
            throw Unknown(type, what);
        }

        if (specification.Precision is not null)
        {
            throw new FormatException("an integer takes no precision");
        }

        if (type == 'c')
        {
            return FormatCharacter(value, specification);
        }

        var size = BigInteger.Abs(value);
        var digits = type switch
        {
            'b' => size.ToString("b", CultureInfo.InvariantCulture).TrimStart('0'),
            'o' => ToOctal(size),
            'x' => size.ToString("x", CultureInfo.InvariantCulture).TrimStart('0'),
            'X' => size.ToString("X", CultureInfo.InvariantCulture).TrimStart('0'),
            _ => size.ToString(CultureInfo.InvariantCulture),
        };
        var prefix = specification.IsAlternate && type is ('b' or 'o' or 'x' or 'X') ? $"0{type}" : "";
        return new NumberLayout(value.Sign < 0, prefix, digits.Length == 0 ? "0" : digits, Rest: "").Format(specification);
    }

    private static string FormatCharacter(BigInteger value, FormatSpecification specification)
    {
        if (specification.Sign is not null || specification.IsAlternate)
        {
            throw new FormatException("the type 'c' takes neither a sign nor '#'");
        }

        return value >= 0 && value <= int.MaxValue && Rune.TryCreate((int)value, out var character)
            ? new NumberLayout(IsNegative: false, Prefix: "", Digits: "", character.ToString()).Format(specification)
            : throw new FormatException("the type 'c' takes the number of a character");
    }

    private static string FormatFloat(double value, FormatSpecification specification)
    {
        if (specification.Type is { } named && !FloatTypes.Contains(named, StringComparison.Ordinal))
        {
            throw Unknown(named, "a number with a decimal point or an exponent");
        }

        var type = specification.Type ?? (specification.Precision is null ? 'r' : 'g');
        var plain = char.ToLowerInvariant(type) switch { '%' => 'f', 'n' => 'g', var other => other };
        var precision = specification.Precision ?? (type == 'r' ? 0 : 6);
        if (precision > FormatSpecification.MaxWidth && (plain is 'e' or 'f' || specification.IsAlternate))
        {
            throw new FormatException("the precision is larger than the 255 bytes of a routing key");
        }

        var text = FloatText.Write(type == '%' ? value * 100 : value, plain, precision, specification.IsAlternate, hasDecimal: specification.Type is null);
        text = char.IsAsciiLetterUpper(type) ? text.ToUpperInvariant() : text;
        var isNegative = text[0] == '-';
        text = isNegative ? text[1..] : text;
        var end = text.AsSpan().IndexOfAnyExceptInRange('0', '9') is >= 0 and var found ? found : text.Length;
        return new NumberLayout(isNegative, Prefix: "", text[..end], text[end..] + (type == '%' ? "%" : "")).Format(specification);
    }

    /// <summary>As Python converts: to the nearest, ties to even; too large is an error.</summary>
    private static double ToDouble(BigInteger value) =>
        double.TryParse(value.ToString(CultureInfo.InvariantCulture), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number)
            ? number
            : throw new FormatException("the integer is too large for a number with a decimal point");

    private static string ToOctal(BigInteger value)
    {
        var bits = value.ToString("b", CultureInfo.InvariantCulture).TrimStart('0');
        bits = bits.PadLeft((bits.Length + 2) / 3 * 3, '0');
        return string.Concat(Enumerable.Range(0, bits.Length / 3).Select(
            group => (char)('0' + ((bits[group * 3] - '0') * 4) + ((bits[(group * 3) + 1] - '0') * 2) + (bits[(group * 3) + 2] - '0'))));
    }

    private static FormatException Unknown(char type, string what) => new($"the type '{type}' is not for {what}");
}
