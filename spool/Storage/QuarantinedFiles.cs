using System.Globalization;
using System.Runtime.InteropServices;
using Quickq.Spool.Files;

namespace Quickq.Spool.Storage;

/// <summary>The names under which a damaged spool is kept, and the steps that put a fresh one in its place.</summary>
/// <remarks>
/// The damaged file gets its second name first, then its log goes, then the fresh file takes the first name in one step: at no moment does the path name nothing, and never does
/// a log lie beside a database that it does not belong to. A mark is there meanwhile: should it be interrupted, whoever takes the lock next puts the log back, and the spool is as it was.
/// </remarks>
internal static class QuarantinedFiles
{
    private const string Mark = ".damaged-";
    private const string TimeForm = "yyyyMMdd'T'HHmmss'Z'";

    /// <summary>Where a spool that is repaired at this time (microseconds since the epoch) goes: a name that nothing has yet.</summary>
    public static string FreeNameFor(string resolved, long repairedAt) => NamesFor(resolved, repairedAt).First(static name => !IsTaken(name));

    /// <summary>Where a spool that was repaired at this time is, as long as it is there; null afterwards.</summary>
    public static string? FindFor(string resolved, long repairedAt) => NamesFor(resolved, repairedAt).TakeWhile(IsTaken).LastOrDefault();

    /// <summary>One name for each second; with a number from the second repair in it on.</summary>
    private static IEnumerable<string> NamesFor(string resolved, long repairedAt)
    {
        string first = resolved + Mark + SpoolTime.FromMicroseconds(repairedAt).UtcDateTime.ToString(TimeForm, CultureInfo.InvariantCulture);
        yield return first;
        for (int number = 2; ; number++)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"{first}-{number}");
        }
    }

    private static bool IsTaken(string name) => FileIdentity.Find(name) is not null || FileIdentity.Find(name + "-wal") is not null || FileIdentity.Find(name + "-shm") is not null;

    /// <summary>Whether a repair is putting the fresh spool in its place, or was interrupted in that.</summary>
    public static bool IsExchanging(string resolved) => FileIdentity.Find(SpoolPath.RepairMark(resolved)) is not null;

    /// <summary>Before SQLite opens the spool: waits for an exchange, and undoes one that was interrupted. Without its log the spool would look older than it is.</summary>
    public static void UndoInterrupted(string resolved)
    {
        if (IsExchanging(resolved))
        {
            using var writeLock = new WriteLock(resolved);
            writeLock.Acquire(SpoolFile.LockDeadline);
            UndoInterrupted_NeedsLock(resolved);
            writeLock.Release(announce: true);
        }
    }

    /// <summary>Undoes an exchange that was interrupted; true when there was one: what this process has open of the spool is then to be opened anew.</summary>
    public static bool UndoInterrupted_NeedsLock(string resolved)
    {
        if (!IsExchanging(resolved))
        {
            return false;
        }

        // The second name of what the path names: the fresh file has not taken its place yet.
        FileIdentity? now = FileIdentity.Find(resolved)?.Identity;
        string? aside = Directory.EnumerateFiles(Path.GetDirectoryName(resolved)!, Path.GetFileName(resolved) + Mark + "*")
            .FirstOrDefault(file => FileIdentity.Find(file)?.Identity == now);
        if (aside is not null)
        {
            foreach (string suffix in (ReadOnlySpan<string>)["-wal", "-shm", ""])
            {
                if (FileIdentity.Find(aside + suffix) is not null)
                {
                    // A look at the spool without its log makes an empty one.
                    Require(Libc.Rename(aside + suffix, resolved + suffix), "put back", resolved + suffix);

                    // Two names of one file: then a rename does nothing.
                    _ = Libc.Unlink(aside + suffix);
                }
            }
        }

        SpoolCreation.SyncFolder(resolved);
        Require(Libc.Unlink(SpoolPath.RepairMark(resolved)), "remove", SpoolPath.RepairMark(resolved));
        return true;
    }

    /// <summary>Puts the file <paramref name="draft"/>, which is synced, in the place of the damaged spool, and that with its log under the name <paramref name="aside"/>.</summary>
    /// <exception cref="SpoolException">A step failed; the path names a spool all the same, the old one or the new one.</exception>
    public static void Exchange_NeedsLock(string resolved, string draft, string aside)
    {
        int mark = Libc.Open(SpoolPath.RepairMark(resolved), Libc.ReadWrite | Libc.Create | Libc.CloseOnExec | Libc.NoFollow, LockFile.OwnerOnly);
        Require(mark, "make", SpoolPath.RepairMark(resolved));
        Libc.Close(mark);
        foreach (string suffix in (ReadOnlySpan<string>)["", "-wal", "-shm"])
        {
            if (FileIdentity.Find(resolved + suffix) is not null)
            {
                Require(Libc.Link(resolved + suffix, aside + suffix), "keep", resolved + suffix);
            }
        }

        SpoolCreation.SyncFolder(resolved);
        foreach (string suffix in (ReadOnlySpan<string>)["-wal", "-shm"])
        {
            if (FileIdentity.Find(resolved + suffix) is not null)
            {
                Require(Libc.Unlink(resolved + suffix), "move", resolved + suffix);
            }
        }

        Require(Libc.Rename(draft, resolved), "replace", resolved);
        SpoolCreation.SyncFolder(resolved);
        Require(Libc.Unlink(SpoolPath.RepairMark(resolved)), "remove", SpoolPath.RepairMark(resolved));
    }

    private static void Require(int result, string act, string path)
    {
        if (result >= 0)
        {
            return;
        }

        int error = Marshal.GetLastPInvokeError();
        throw new SpoolException(
            error is Libc.AccessDenied or Libc.NotPermitted ? SpoolFault.PermissionDenied : SpoolFault.InputOutput, path,
            $"cannot {act} {path}: {Libc.ErrorText(error)}", $"repair it as root, or as the account that owns {Path.GetDirectoryName(path)}");
    }
}
