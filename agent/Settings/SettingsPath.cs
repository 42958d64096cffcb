namespace Quickq.Agent.Settings;

/// <summary>Where files that the configuration names are looked for.</summary>
/// <param name="Folder">The configuration's own: what relative names begin from.</param>
/// <param name="Credentials">Where systemd put the service's credentials (CREDENTIALS_DIRECTORY), or null.</param>
internal sealed record SettingsPath(string Folder, string? Credentials)
{
    /// <summary>
    /// The file that a setting means. A bare name is a credential of the service where there is one of that name: so the same
    /// configuration works with <c>LoadCredential=</c> and, where systemd has none (before 247), with a file beside it.
    /// </summary>
    public string FileOf(string name) =>
        Credentials is not null && !name.Contains('/', StringComparison.Ordinal) && Path.Combine(Credentials, name) is var credential && File.Exists(credential)
            ? credential
            : Path.Combine(Folder, name);
}
