using System.Globalization;
using System.Numerics;

namespace Quickq.SpoolCli.Formatting;

/// <summary>A floating-point number in digits, as Python writes it: correctly rounded from its exact value, ties to even.</summary>
/// <remarks>The runtime's own formats round ties away from zero, so the exact decimal expansion is rounded here.</remarks>
internal static class FloatText
{
    /// <summary>No finite number has as many digits (767): a higher precision changes nothing.</summary>
    private const int MostDigits = 1100;

    /// <summary>The shortest text that reads as the same number: Python's <c>str</c> and <c>repr</c>.</summary>
    public static string Shortest(double value) => Write(value, 'r', precision: 0, isAlternate: false, hasDecimal: true);

    /// <summary>The number by one of the types <c>e f g</c>, or <c>r</c> for the shortest.</summary>
    /// <param name="value">The number.</param>
    /// <param name="type">How it is written.</param>
    /// <param name="precision">Digits behind the point; for <c>g</c>, significant ones.</param>
    /// <param name="isAlternate">Keeps the point and, for <c>g</c>, the zeros at the end.</param>
    /// <param name="hasDecimal">At least one digit follows the point unless there is an exponent.</param>
    public static string Write(double value, char type, int precision, bool isAlternate, bool hasDecimal)
    {
        if (double.IsNaN(value))
        {
            return "nan";
        }

        var sign = double.IsNegative(value) ? "-" : "";
        if (double.IsInfinity(value))
        {
            return sign + "inf";
        }

        var wanted = type switch { 'e' => precision + 1, 'g' => Math.Max(precision, 1), _ => precision };
        var number = type switch
        {
            _ when value == 0 => new Decimals("0", 1),
            'r' => Decimals.Shortest(Math.Abs(value)),
            'f' => Decimals.Exact(value).RoundBehindPoint(wanted),
            _ => Decimals.Exact(value).RoundTo(Math.Min(wanted, MostDigits)),
        };
        var hasExponent = type switch
        {
            'e' => true,
            'g' => number.Point <= -4 || number.Point > wanted - (hasDecimal ? 1 : 0),
            'r' => number.Point is <= -4 or > 16,
            _ => false,
        };
        var end = type switch { 'e' => wanted, 'f' => number.Point + wanted, 'g' when isAlternate => wanted, _ => number.Digits.Length };
        var text = sign + (hasExponent ? number with { Point = 1 } : number).Write(end, hasDecimal && !hasExponent, isAlternate);
        return hasExponent ? string.Create(CultureInfo.InvariantCulture, $"{text}e{number.Point - 1:+00;-00;+00}") : text;
    }

    /// <summary>Digits without zeros at the end, and where the decimal point is: 0.05 is 5 with the point at -1.</summary>
    private readonly record struct Decimals(string Digits, int Point)
    {
        /// <summary>
        /// The fewest digits that read as the number, of those the nearest, of two as near the even one. The runtime only helps to find how many
        /// those are: of a power of two it may leave out a digit that is needed (2^-25 as 2.980232238769531E-08).
        /// </summary>
        public static Decimals Shortest(double positive)
        {
            var parts = positive.ToString("R", CultureInfo.InvariantCulture).Split('E');
            var exponent = parts.Length == 1 ? 0 : int.Parse(parts[1], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
            var dot = parts[0].IndexOf('.', StringComparison.Ordinal);
            var digits = parts[0].Replace(".", "", StringComparison.Ordinal);
            var significant = digits.TrimStart('0');
            var found = new Decimals(significant.TrimEnd('0'), (dot < 0 ? digits.Length : dot) + exponent - (digits.Length - significant.Length));
            var exact = Exact(positive);
            var nearest = exact.RoundTo(found.Digits.Length);
            for (var count = found.Digits.Length; !nearest.Reads(positive); nearest = exact.RoundTo(++count))
            {
                if (found.Reads(positive))
                {
                    return found;
                }
            }

            return nearest;
        }

        public static Decimals Exact(double value)
        {
            var bits = BitConverter.DoubleToInt64Bits(value);
            var exponent = (int)((bits >> 52) & 0x7FF);
            var fraction = bits & 0xF_FFFF_FFFF_FFFF;
            BigInteger mantissa = exponent == 0 ? fraction : fraction | (1L << 52);
            var power = Math.Max(exponent, 1) - 1075;
            var digits = (power >= 0 ? mantissa << power : mantissa * BigInteger.Pow(5, -power)).ToString(CultureInfo.InvariantCulture);
            return new Decimals(digits, digits.Length + Math.Min(power, 0));
        }

        public Decimals RoundBehindPoint(int count) => Point + count >= 0 ? RoundTo(Point + count) : new Decimals("", -count);

        /// <summary>The number with so many digits at most; a tie goes to the even one.</summary>
        public Decimals RoundTo(int count)
        {
            if (count >= Digits.Length)
            {
                return this with { Digits = Digits.TrimEnd('0') };
            }

            var isTie = Digits[count] == '5' && Digits.AsSpan(count + 1).IndexOfAnyExcept('0') < 0;
            var isUp = isTie ? count > 0 && (Digits[count - 1] - '0') % 2 == 1 : Digits[count] >= '5';
            var kept = Digits[..count];
            if (!isUp)
            {
                return kept.TrimEnd('0') is { Length: > 0 } down ? this with { Digits = down } : new Decimals("", Point - count);
            }

            var front = kept.TrimEnd('9');
            return front.Length == 0 ? new Decimals("1", Point + 1) : this with { Digits = front[..^1] + (char)(front[^1] + 1) };
        }

        private bool Reads(double value) =>
            double.Parse(string.Create(CultureInfo.InvariantCulture, $"0.{Digits}E{Point}"), NumberStyles.Float, CultureInfo.InvariantCulture).Equals(value);

        /// <summary>The digits with their point, with zeros up to <paramref name="end"/> digits.</summary>
        public string Write(int end, bool hasDecimal, bool keepsPoint)
        {
            end = Math.Max(end, hasDecimal ? Point + 1 : Point);
            var padded = Digits.PadRight(Math.Max(end, 0), '0');
            var (whole, behind) = Point <= 0 ? ("0", new string('0', -Point) + padded) : (padded[..Point], padded[Point..]);
            return behind.Length > 0 || keepsPoint ? $"{whole}.{behind}" : whole;
        }
    }
}
