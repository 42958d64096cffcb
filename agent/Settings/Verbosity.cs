using Microsoft.Extensions.Logging;

namespace Quickq.Agent.Settings;

/// <summary>The names of log levels, as <c>--verbosity</c> and <c>logLevel</c> take them; the short ones of other tools too.</summary>
internal static class Verbosity
{
    public const string Names = "trace, debug, information, warning, error or critical";

    public static bool TryParse(string? text, out LogLevel level)
    {
        LogLevel? parsed = text?.Trim().ToUpperInvariant() switch
        {
            "TRACE" or "VERBOSE" => LogLevel.Trace,
            "DEBUG" => LogLevel.Debug,
            "INFORMATION" or "INFO" => LogLevel.Information,
            "WARNING" or "WARN" => LogLevel.Warning,
            "ERROR" => LogLevel.Error,
            "CRITICAL" or "FATAL" => LogLevel.Critical,
            _ => null,
        };
        level = parsed ?? LogLevel.Information;
        return parsed is not null;
    }
}
