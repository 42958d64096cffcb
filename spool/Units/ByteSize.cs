using System.Globalization;

namespace Quickq.Spool;

/// <summary>Reads and writes sizes as people write them: <c>10GiB</c>, <c>64KiB</c>, <c>1.5 MB</c>, plain bytes.</summary>
/// <remarks>
/// <c>KiB MiB GiB TiB</c>, and the bare letters <c>K M G T</c> as coreutils and systemd have them, count by 1,024;
/// <c>kB MB GB TB</c> by 1,000. Capitals do not matter. A size is never negative.
/// </remarks>
public static class ByteSize
{
    /// <summary>What a message about a wrong size shows as right ones.</summary>
    public const string Examples = "10GiB, 64KiB or 1048576";

    private static readonly (string Unit, long Bytes)[] Units =
    [
        ("TiB", 1L << 40), ("GiB", 1L << 30), ("MiB", 1L << 20), ("KiB", 1L << 10),
        ("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000),
        ("T", 1L << 40), ("G", 1L << 30), ("M", 1L << 20), ("K", 1L << 10), ("B", 1),
    ];

    /// <summary>Reads a size.</summary>
    /// <param name="text">The size as written.</param>
    /// <param name="bytes">The size in bytes, a fraction of a byte dropped; 0 when the text is not a size.</param>
    /// <returns>Whether the text is a size that fits into a <see cref="long"/>.</returns>
    public static bool TryParse(string? text, out long bytes)
    {
        bytes = 0;
        if (string.IsNullOrWhiteSpace(text))
        {
            return false;
        }

        var number = text.AsSpan().Trim();
        var scale = 1L;
        foreach (var (unit, unitBytes) in Units)
        {
            if (number.EndsWith(unit, StringComparison.OrdinalIgnoreCase))
            {
                number = number[..^unit.Length].TrimEnd();
                scale = unitBytes;
                break;
            }
        }

        if (!decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value) ||
            value > long.MaxValue / (decimal)scale)
        {
            return false;
        }

        bytes = (long)(value * scale);
        return true;
    }

    /// <summary>Reads a size, or says what is wrong with it.</summary>
    /// <param name="text">The size as written.</param>
    /// <returns>The size in bytes.</returns>
    /// <exception cref="FormatException">The text is not a size.</exception>
    public static long Parse(string text) => TryParse(text, out var bytes)
        ? bytes
        : throw new FormatException($"'{text}' is not a size; write for example {Examples}");

    /// <summary>Writes a size exactly, in the largest unit that leaves no fraction.</summary>
    /// <param name="bytes">The size in bytes, not negative.</param>
    /// <returns>A text that <see cref="TryParse"/> reads as the same size.</returns>
    public static string Format(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        foreach (var (unit, unitBytes) in Units.AsSpan(0, 4))
        {
            if (bytes > 0 && bytes % unitBytes == 0)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{bytes / unitBytes}{unit}");
            }
        }

        return bytes.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>Writes a size as a person says it, rounded: <c>5.2 MiB</c>, <c>12 bytes</c>.</summary>
    /// <param name="bytes">The size in bytes, not negative.</param>
    public static string Describe(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        foreach ((string unit, double unitBytes) in (ReadOnlySpan<(string, double)>)[("GiB", 1L << 30), ("MiB", 1L << 20), ("KiB", 1L << 10)])
        {
            if (bytes >= unitBytes)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{bytes / unitBytes:0.0} {unit}");
            }
        }

        return string.Create(CultureInfo.InvariantCulture, $"{bytes} bytes");
    }
}
