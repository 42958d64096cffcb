using System.Globalization;
using System.Text;

namespace Quickq.Spool;

/// <summary>Reads and writes spans of time as people write them: <c>30s</c>, <c>7d</c>, <c>500ms</c>, <c>1h30m</c>.</summary>
/// <remarks>
/// Units are <c>w d h m s ms us</c>, and <c>min</c> for <c>m</c>; several go together from large to small. A number
/// without a unit is refused, because one reader takes it for seconds and the next for milliseconds; only <c>0</c> says
/// the same to both. A duration is never negative.
/// </remarks>
public static class Duration
{
    /// <summary>What a message about a wrong duration shows as right ones.</summary>
    public const string Examples = "30s, 7d, 500ms or 1h30m";

    private static readonly (string Unit, long Ticks)[] Units =
    [
        ("w", 7 * TimeSpan.TicksPerDay), ("d", TimeSpan.TicksPerDay), ("h", TimeSpan.TicksPerHour),
        ("m", TimeSpan.TicksPerMinute), ("s", TimeSpan.TicksPerSecond), ("ms", TimeSpan.TicksPerMillisecond),
        ("us", TimeSpan.TicksPerMicrosecond), ("min", TimeSpan.TicksPerMinute),
    ];

    /// <summary>Reads a duration.</summary>
    /// <param name="text">The duration as written.</param>
    /// <param name="duration">The duration; zero when the text is not one.</param>
    /// <returns>Whether the text is a duration that fits into a <see cref="TimeSpan"/>.</returns>
    public static bool TryParse(string? text, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        var rest = text.AsSpan().Trim();
        if (rest is "0")
        {
            return true;
        }

        var total = 0m;
        var previousTicks = long.MaxValue;
        while (!rest.IsEmpty)
        {
            if (!TryTakeTerm(ref rest, out var value, out var unitTicks) || unitTicks >= previousTicks)
            {
                return false;
            }

            total += value * unitTicks;
            previousTicks = unitTicks;
            if (total > long.MaxValue)
            {
                return false;
            }
        }

        duration = TimeSpan.FromTicks((long)total);
        return previousTicks != long.MaxValue;
    }

    /// <summary>Reads a duration, or says what is wrong with it.</summary>
    /// <param name="text">The duration as written.</param>
    /// <returns>The duration.</returns>
    /// <exception cref="FormatException">The text is not a duration.</exception>
    public static TimeSpan Parse(string text) => TryParse(text, out var duration)
        ? duration
        : throw new FormatException($"'{text}' is not a duration; write for example {Examples}");

    /// <summary>Writes a duration exactly (to the microsecond), from days downwards, leaving out what is zero.</summary>
    /// <param name="duration">The duration, not negative.</param>
    /// <returns>A text that <see cref="TryParse"/> reads as the same duration.</returns>
    public static string Format(TimeSpan duration)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(duration, TimeSpan.Zero);
        var text = new StringBuilder();
        var ticks = duration.Ticks;
        foreach (var (unit, unitTicks) in Units.AsSpan(1, 6))
        {
            if (ticks >= unitTicks)
            {
                text.Append(CultureInfo.InvariantCulture, $"{ticks / unitTicks}{unit}");
                ticks %= unitTicks;
            }
        }

        return text.Length == 0 ? "0" : text.ToString();
    }

    private static bool TryTakeTerm(ref ReadOnlySpan<char> rest, out decimal value, out long unitTicks)
    {
        unitTicks = 0;
        var digits = rest.IndexOfAnyExcept("0123456789.");
        if (!decimal.TryParse(rest[..Math.Max(digits, 0)], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out value) ||
            value > long.MaxValue)
        {
            return false;
        }

        rest = rest[digits..].TrimStart();
        var letters = rest.IndexOfAnyExceptInRange('a', 'z');
        var name = letters < 0 ? rest : rest[..letters];
        foreach (var (unit, ticks) in Units)
        {
            if (name.SequenceEqual(unit))
            {
                unitTicks = ticks;
                rest = rest[name.Length..].TrimStart();
                return true;
            }
        }

        return false;
    }
}
