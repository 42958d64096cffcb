using System.Text;
using Quickq.Spool.Files;

namespace Quickq.Spool;

/// <summary>Where the spool is, and the names of the files beside it.</summary>
public static class SpoolPath
{
    /// <summary>The spool of a host unless told otherwise.</summary>
    public const string Default = "/var/lib/quickq/spool.db";

    /// <summary>The environment variable that names another spool.</summary>
    public const string Variable = "QUICKQ_SPOOL";

    /// <summary>As many as the kernel follows.</summary>
    private const int MostLinks = 40;

    /// <summary>The path from an option, else from <see cref="Variable"/>, else <see cref="Default"/>; made absolute.</summary>
    public static string Resolve(string? fromOption)
    {
        string? chosen = fromOption;
        if (string.IsNullOrEmpty(chosen))
        {
            chosen = Environment.GetEnvironmentVariable(Variable);
        }

        return Path.GetFullPath(string.IsNullOrEmpty(chosen) ? Default : chosen);
    }

    /// <summary>
    /// The path with every symbolic link followed, so that all processes lock the same file. A last part that does not exist yet stays; a link
    /// to what does not exist yet leads there.
    /// </summary>
    internal static string FollowLinks(string path)
    {
        string full = Path.GetFullPath(path);
        for (int links = 0; links < MostLinks; links++)
        {
            if (RealPath(full) is { } existing)
            {
                return existing;
            }

            if (new FileInfo(full).LinkTarget is not { } target)
            {
                break;
            }

            full = Path.GetFullPath(target, RealPath(Path.GetDirectoryName(full) ?? "/") ?? "/");
        }

        return RealPath(Path.GetDirectoryName(full) ?? "/") is { } folder ? Path.Combine(folder, Path.GetFileName(full)) : full;
    }

    /// <summary>The lock that every writer holds around each write transaction and each checkpoint.</summary>
    internal static string LockFile(string resolved) => resolved + ".lock";

    /// <summary>The file whose record lock says that an agent runs.</summary>
    internal static string AgentFile(string resolved) => resolved + ".agent";

    /// <summary>Room that the agent keeps, to give it up when the disk is full.</summary>
    internal static string ReserveFile(string resolved) => resolved + ".reserve";

    /// <summary>There while a repair puts a fresh spool in the place of the damaged one.</summary>
    internal static string RepairMark(string resolved) => resolved + ".repair";

    /// <summary>SQLite's write-ahead log.</summary>
    internal static string WriteAheadLog(string resolved) => resolved + "-wal";

    private static unsafe string? RealPath(string path)
    {
        Span<byte> buffer = stackalloc byte[4096];
        fixed (byte* pointer = buffer)
        {
            return Libc.RealPath(path, pointer) == 0 ? null : Encoding.UTF8.GetString(buffer[..buffer.IndexOf((byte)0)]);
        }
    }
}
