using System.Globalization;
using System.Runtime.InteropServices;
using Quickq.Spool.Files;

namespace Quickq.Spool;

/// <summary>The write-ahead log of a spool whose file is gone: SQLite would take it for the log of the next spool of that name.</summary>
/// <remarks>It may hold messages that were accepted, so it is kept beside the spool under another name. Put back beside its own file, it is its log again.</remarks>
internal static class OrphanedWal
{
    private const string Mark = ".orphan-";

    /// <summary>Moves it out of the way with its index; returns the new name of the log, or null when there is nothing in one.</summary>
    /// <exception cref="SpoolException">It cannot be moved; then no spool may be made here.</exception>
    public static string? Keep_NeedsLock(string resolved, DateTimeOffset now)
    {
        if (FileIdentity.SizeOf(SpoolPath.WriteAheadLog(resolved)) == 0)
        {
            return null;
        }

        string first = resolved + Mark + now.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture), kept = first;
        for (int number = 2; FileIdentity.Find(kept + "-wal") is not null || FileIdentity.Find(kept + "-shm") is not null; number++)
        {
            kept = string.Create(CultureInfo.InvariantCulture, $"{first}-{number}");
        }

        // The index first: what is left by an end in between is a log, and is found again.
        foreach (string suffix in (ReadOnlySpan<string>)["-shm", "-wal"])
        {
            if (FileIdentity.Find(resolved + suffix) is not null && Libc.Rename(resolved + suffix, kept + suffix) != 0)
            {
                int error = Marshal.GetLastPInvokeError();
                throw new SpoolException(
                    error is Libc.AccessDenied or Libc.NotPermitted ? SpoolFault.PermissionDenied : SpoolFault.CannotCreate, resolved,
                    $"the spool {resolved} is gone, its log {resolved}{suffix} is there and cannot be moved aside: {Libc.ErrorText(error)}",
                    "put the spool's file back, or move the log away: messages may be in it");
            }
        }

        SpoolCreation.SyncFolder(resolved);
        return kept + "-wal";
    }

    /// <summary>The logs that were kept beside this spool.</summary>
    public static IReadOnlyList<string> Find(string resolved) =>
        [.. Directory.EnumerateFiles(Path.GetDirectoryName(resolved)!, Path.GetFileName(resolved) + Mark + "*-wal").Order(StringComparer.Ordinal)];

    /// <summary>What to say of one.</summary>
    public static string Describe(string kept) =>
        $"{kept} is the log of a spool whose file was removed: messages that were accepted may be in it";
}
