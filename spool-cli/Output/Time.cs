using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Quickq.SpoolCli.Output;

/// <summary>Writes times: exactly for programs, shortly for people; always UTC.</summary>
internal static class Time
{
    /// <summary><c>2026-01-02T03:04:05.123456Z</c>.</summary>
    [return: NotNullIfNotNull(nameof(instant))]
    public static string? Exact(DateTimeOffset? instant) =>
        instant?.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);

    /// <summary><c>2026-01-02 03:04:05Z</c>, or <c>-</c>.</summary>
    public static string Short(DateTimeOffset? instant) =>
        instant?.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture) ?? "-";

    /// <summary>A span in its two largest units: <c>4m 12s</c>, <c>2d 3h</c>.</summary>
    public static string Span(TimeSpan span) => span switch
    {
        { Ticks: <= 0 } => "0s",
        { TotalSeconds: < 1 } => "<1s",
        { TotalMinutes: < 1 } => $"{span.Seconds}s",
        { TotalHours: < 1 } => $"{span.Minutes}m {span.Seconds}s",
        { TotalDays: < 1 } => $"{span.Hours}h {span.Minutes}m",
        { TotalDays: < 1000 } => $"{span.Days}d {span.Hours}h",
        _ => $"{span.Days}d",
    };
}
