using System.Runtime.InteropServices;
using Quickq.Agent.Forwarding;

namespace Quickq.Agent.Settings;

/// <summary>Says when the configuration is to be read again: on SIGHUP, or when the file was changed or replaced.</summary>
internal sealed class SettingsWatch : IDisposable
{
    private readonly PosixSignalRegistration _signal;
    private readonly FileSystemWatcher _file;

    public SettingsWatch(string configPath)
    {
        _signal = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
        {
            context.Cancel = true; // else the process would end
            Changed.Set();
        });

        // The folder, because editors replace the file instead of writing it.
        string full = Path.GetFullPath(configPath);
        _file = new FileSystemWatcher(Path.GetDirectoryName(full)!, Path.GetFileName(full));
        _file.Changed += (_, _) => Changed.Set();
        _file.Created += (_, _) => Changed.Set();
        _file.Renamed += (_, _) => Changed.Set();
        _file.EnableRaisingEvents = true;
    }

    /// <summary>Set once for any number of events; whoever reads the file resets it first.</summary>
    public Wakeup Changed { get; } = new();

    public void Dispose()
    {
        _signal.Dispose();
        _file.Dispose();
    }
}
