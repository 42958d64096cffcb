using Quickq.Spool.Files;

namespace Quickq.Spool.Repair;

/// <summary>The database files that this process reads without SQLite: one descriptor for each path, which stays open.</summary>
/// <remarks>
/// Closing any descriptor of a file drops all POSIX locks that the process holds on it, SQLite's among them: the agent's connections would go on without theirs, and the
/// last program that closes the spool would take the log away under them (sqlite.org/howtocorrupt.html, 2.2). So it is closed only when the path names another file.
/// </remarks>
internal static class LiveFile
{
    private static readonly Lock Gate = new();
    private static readonly Dictionary<string, FileStream> Open = new(StringComparer.Ordinal);

    /// <summary>The file that the path names, for reading; never to be closed by the caller.</summary>
    /// <exception cref="IOException">It cannot be opened.</exception>
    public static FileStream Read(string path)
    {
        lock (Gate)
        {
            CloseReplaced_NeedsGate(path);
            if (!Open.TryGetValue(path, out FileStream? file))
            {
                // FileShare.ReadWrite: .NET would take a lock of its own on the file otherwise.
                file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 1);
                Open.Add(path, file);
            }

            return file;
        }
    }

    /// <summary>Closes the descriptor of a file that the path names no more.</summary>
    public static void CloseReplaced(string path)
    {
        lock (Gate)
        {
            CloseReplaced_NeedsGate(path);
        }
    }

    private static void CloseReplaced_NeedsGate(string path)
    {
        if (Open.TryGetValue(path, out FileStream? file) && FileIdentity.OfDescriptor((int)file.SafeFileHandle.DangerousGetHandle()) != FileIdentity.Find(path)?.Identity)
        {
            Open.Remove(path);
            file.Dispose();
        }
    }
}
