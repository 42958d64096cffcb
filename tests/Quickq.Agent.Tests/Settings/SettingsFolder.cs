using Quickq.Agent.Settings;

namespace Quickq.Agent.Tests.Settings;

/// <summary>A folder with a quickq.json in it, gone at the end of the test.</summary>
internal sealed class SettingsFolder : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("quickq-settings-").FullName;

    public string ConfigPath => Path.Combine(_folder, "quickq.json");

    public string Write(string name, string text, UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        File.SetUnixFileMode(path, mode);
        return path;
    }

    public AgentSettings Right(string json, params (string Name, string Value)[] environment)
    {
        var (settings, errors) = Read(json, environment);
        Assert.Empty(errors);
        return settings!;
    }

    public IReadOnlyList<string> Errors(string json, params (string Name, string Value)[] environment)
    {
        var (settings, errors) = Read(json, environment);
        Assert.Null(settings);
        Assert.All(errors, error => Assert.DoesNotContain('\n', error));
        return errors;
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private SettingsReading Read(string json, (string Name, string Value)[] environment)
    {
        Write("quickq.json", json);
        return SettingsFile.Read(ConfigPath, environment.ToDictionary(variable => variable.Name, variable => variable.Value, StringComparer.Ordinal));
    }
}
