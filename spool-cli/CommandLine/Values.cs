using System.Globalization;
using Quickq.Spool;

namespace Quickq.SpoolCli.CommandLine;

/// <summary>Reads the values of options; a value that cannot be read is wrong use (64), named with its option.</summary>
internal static class Values
{
    private static readonly string[] TimeForms =
    [
        "yyyy-MM-dd", "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK",
    ];

    public static TimeSpan Duration(string option, string text) => Spool.Duration.TryParse(text, out var duration)
        ? duration
        : throw CommandException.WrongUse($"{option} '{text}' is not a duration", $"write for example {Spool.Duration.Examples}");

    public static TimeSpan? PositiveDuration(string option, string? text) => text is null ? null
        : Duration(option, text) is var duration && duration > TimeSpan.Zero ? duration
        : throw CommandException.WrongUse($"{option} '{text}' must be greater than zero", $"write for example {Spool.Duration.Examples}");

    /// <summary>A point in time: ISO 8601 (UTC unless it says otherwise), or a duration back from now.</summary>
    public static DateTimeOffset? Instant(string option, string? text, TimeProvider clock)
    {
        if (text is null)
        {
            return null;
        }

        var now = clock.GetUtcNow();
        if (Spool.Duration.TryParse(text, out var back))
        {
            return back < now - DateTimeOffset.MinValue ? now - back : DateTimeOffset.MinValue;
        }

        return DateTimeOffset.TryParseExact(text.Replace(' ', 'T'), TimeForms, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var instant)
            ? instant
            : throw CommandException.WrongUse($"{option} '{text}' is not a time", "write 2026-01-02T03:04:05Z, 2026-01-02, or a duration back from now such as 2h");
    }

    public static int? Whole(string option, string? text, int least, int most) => text is null ? null
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most ? number
        : throw CommandException.WrongUse($"{option} '{text}' is not a whole number from {least} to {most}");

    /// <summary>Pairs such as <c>k=v</c>: the name ends at the first <c>=</c>, the value may be empty.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>> Pairs(string option, IReadOnlyList<string> texts)
    {
        var pairs = new List<KeyValuePair<string, string>>();
        foreach (var text in texts)
        {
            var equals = text.IndexOf('=');
            if (equals < 1)
            {
                throw CommandException.WrongUse($"{option} '{text}' is not a name and a value", $"write {option} name=value");
            }

            var name = text[..equals];
            if (pairs.Exists(pair => string.Equals(pair.Key, name, StringComparison.Ordinal)))
            {
                throw CommandException.WrongUse($"{option} gives '{name}' twice", "give each name once");
            }

            pairs.Add(new(name, text[(equals + 1)..]));
        }

        return pairs;
    }

    public static string? State(string option, string? text) => text is null || DeliveryState.All.Contains(text, StringComparer.Ordinal)
        ? text
        : throw CommandException.WrongUse($"{option} '{text}' is not a state", $"the states are {string.Join(", ", DeliveryState.All)}");
}
