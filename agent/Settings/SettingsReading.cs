namespace Quickq.Agent.Settings;

/// <summary>What reading a configuration gave: the settings, or every error.</summary>
/// <param name="Settings">Null when there was an error.</param>
/// <param name="Errors">One line each, without any password.</param>
internal sealed record SettingsReading(AgentSettings? Settings, IReadOnlyList<string> Errors)
{
    /// <summary>The file is there and this user may not read it.</summary>
    public bool IsForbidden { get; init; }
}
