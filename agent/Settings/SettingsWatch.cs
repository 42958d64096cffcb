namespace Quickq.Agent.Settings;

/// <summary>Asks for a reload when the configuration's file was changed or replaced.</summary>
internal sealed class SettingsWatch : IDisposable
{
    private readonly FileSystemWatcher _file;

    public SettingsWatch(string configPath, ReloadRequest reload)
    {
        // The folder, because editors replace the file instead of writing it.
        string full = Path.GetFullPath(configPath);
        _file = new FileSystemWatcher(Path.GetDirectoryName(full)!, Path.GetFileName(full));
        _file.Changed += (_, _) => reload.Set();
        _file.Created += (_, _) => reload.Set();
        _file.Renamed += (_, _) => reload.Set();
        _file.EnableRaisingEvents = true;
    }

    public void Dispose() => _file.Dispose();
}
