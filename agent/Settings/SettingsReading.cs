namespace Quickq.Agent.Settings;

/// <summary>What reading a configuration gave: the settings, or every mistake.</summary>
/// <param name="Settings">Null when there was a mistake.</param>
/// <param name="Mistakes">One line each, without any password.</param>
internal sealed record SettingsReading(AgentSettings? Settings, IReadOnlyList<string> Mistakes)
{
    /// <summary>The file is there and this user may not read it.</summary>
    public bool IsForbidden { get; init; }
}
