using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;
using Quickq.Spool.Files;
using Quickq.Spool.Schema;

namespace Quickq.Spool;

/// <summary>Makes a new spool whole or not at all: under another name first, synced, then moved to its own name.</summary>
internal static class SpoolCreation
{
    /// <summary>True when there is no spool at the path: no file, or an empty one. Only a regular file can be empty: a device or a pipe has size 0 too.</summary>
    public static bool IsMissing(string resolved) => FileIdentity.Find(resolved) is null or { Size: 0, IsRegularFile: true };

    /// <summary>Makes the spool if there is none; does nothing when another process was first.</summary>
    /// <returns>Where the log of an earlier spool was put whose file is gone; null when there was none.</returns>
    /// <exception cref="SpoolException">It cannot be made here.</exception>
    public static string? CreateIfMissing(string resolved)
    {
        string folder = Path.GetDirectoryName(resolved)!;
        using var writeLock = new WriteLock(resolved);
        writeLock.Acquire(SpoolFile.LockDeadline);
        try
        {
            if (!IsMissing(resolved))
            {
                return null;
            }

            string? keptLog = OrphanedWal.Keep_NeedsLock(resolved, TimeProvider.System.GetUtcNow());
            string draft = string.Create(CultureInfo.InvariantCulture, $"{resolved}.new.{Environment.ProcessId}");
            RemoveDrafts_NeedsLock(resolved);
            try
            {
                WriteDraft(draft);
                Publish(draft, resolved);
            }
            finally
            {
                RemoveDraft(draft);
            }

            SyncFolder(resolved);
            return keptLog;
        }
        catch (SqliteException failure) when (failure.SqliteErrorCode == SQLitePCL.raw.SQLITE_FULL || FileSystemSpace.IsFull(folder))
        {
            throw SqliteFailure.DiskFull(resolved, failure);
        }
        catch (SqliteException failure)
        {
            throw new SpoolException(SpoolFault.CannotCreate, resolved, $"cannot make the spool {resolved}: {failure.Message}",
                $"check the permissions and the free space of {folder}", failure);
        }
        finally
        {
            writeLock.Release(announce: true);
        }
    }

    internal static void WriteDraft(string draft, int format = SpoolSchema.Format)
    {
        // Made by us first, so that its mode does not depend on the umask: -wal and -shm take the mode of the file.
        int descriptor = Libc.Open(draft, Libc.ReadWrite | Libc.Create | Libc.Exclusive | Libc.CloseOnExec | Libc.NoFollow, LockFile.OwnerOnly);
        if (descriptor < 0)
        {
            throw Failure(draft, "make", Marshal.GetLastPInvokeError());
        }

        int chmod = Libc.ChangeMode(descriptor, LockFile.OwnerOnly);
        int error = Marshal.GetLastPInvokeError();
        Libc.Close(descriptor);
        if (chmod != 0)
        {
            throw Failure(draft, "set the mode of", error);
        }

        using SqliteConnection connection = SpoolConnection.Connect(draft);
        SpoolSchema.Create(connection, format);

        // The checkpoint at close fails without a word, and a file without its log would be published.
        connection.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    private static void Publish(string draft, string resolved)
    {
        // SQLite closed it, checkpointed and without -wal: from here it is an ordinary file.
        SyncPath(draft, draft);
        bool emptyFileInTheWay = FileIdentity.Find(resolved) is { Size: 0, IsRegularFile: true };
        int result = emptyFileInTheWay ? Libc.Rename(draft, resolved)
            : Libc.Rename(Libc.AtCurrentDirectory, draft, Libc.AtCurrentDirectory, resolved, Libc.NoReplace);
        if (result != 0 && !emptyFileInTheWay && Marshal.GetLastPInvokeError() is Libc.InvalidArgument or Libc.NoSystemCall)
        {
            result = Libc.Link(draft, resolved); // a file system without that flag
        }

        if (result != 0)
        {
            throw Failure(resolved, "make", Marshal.GetLastPInvokeError());
        }
    }

    /// <summary>Removes what is left of the making of a spool by a process that was killed.</summary>
    public static void RemoveDrafts(string resolved)
    {
        using var writeLock = new WriteLock(resolved);
        writeLock.Acquire(SpoolFile.LockDeadline);
        RemoveDrafts_NeedsLock(resolved);
        writeLock.Release(announce: false);
    }

    /// <summary>Drafts are made under the lock only: whatever is there was left by a process that was killed.</summary>
    internal static void RemoveDrafts_NeedsLock(string resolved)
    {
        foreach (string left in Directory.EnumerateFiles(Path.GetDirectoryName(resolved)!, Path.GetFileName(resolved) + ".new.*"))
        {
            if (Libc.Unlink(left) != 0 && Marshal.GetLastPInvokeError() is var error && error != Libc.NoEntry)
            {
                throw Failure(left, "remove", error);
            }
        }
    }

    internal static void RemoveDraft(string draft)
    {
        foreach (string suffix in (ReadOnlySpan<string>)["", "-wal", "-shm", "-journal"])
        {
            if (Libc.Unlink(draft + suffix) != 0 && Marshal.GetLastPInvokeError() is var error && error != Libc.NoEntry)
            {
                throw Failure(draft + suffix, "remove", error);
            }
        }
    }

    internal static void SyncFolder(string resolved) => SyncPath(Path.GetDirectoryName(resolved)!, resolved);

    internal static void SyncPath(string path, string spool)
    {
        int descriptor = Libc.Open(path, Libc.ReadOnly | Libc.CloseOnExec, 0);
        if (descriptor < 0)
        {
            throw Failure(spool, "open", Marshal.GetLastPInvokeError());
        }

        int result = Libc.Sync(descriptor);
        int error = Marshal.GetLastPInvokeError();
        Libc.Close(descriptor);
        if (result != 0)
        {
            throw Failure(spool, "sync", error);
        }
    }

    private static SpoolException Failure(string path, string act, int error) => error is Libc.NoSpace or Libc.QuotaExceeded ? SqliteFailure.DiskFull(path) : new(
        error is Libc.AccessDenied or Libc.NotPermitted ? SpoolFault.PermissionDenied : SpoolFault.CannotCreate,
        path, $"cannot {act} {path}: {Libc.ErrorText(error)}", $"check the permissions and the free space of {Path.GetDirectoryName(path)}");
}
