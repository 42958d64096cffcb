using Microsoft.Extensions.Logging;

namespace Quickq.Agent.Settings;

/// <summary>Everything that <c>quickq.json</c> and the environment say, checked. Immutable; a reload makes another.</summary>
internal sealed record AgentSettings
{
    public SpoolSettings Spool { get; init; } = new();

    /// <summary>In the order of their names. May be empty: then the agent accepts, and delivers nowhere.</summary>
    public IReadOnlyList<ServerSettings> Servers { get; init; } = [];

    public LogLevel LogLevel { get; init; } = LogLevel.Information;

    /// <summary>What is allowed and yet worth a warning, one line each.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}
