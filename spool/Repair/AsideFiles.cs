using System.Globalization;
using System.Runtime.InteropServices;
using Quickq.Spool.Locking;

namespace Quickq.Spool.Repair;

/// <summary>The names under which a damaged spool is kept, and the steps that put a fresh one in its place.</summary>
/// <remarks>
/// The damaged file gets its second name first, then its log goes, then the fresh file takes the first name in one step: at no moment does the path name nothing, and never does
/// a log lie beside a database that it does not belong to. Should that be interrupted, the next repair finds the second name (the same inode) and with it the log.
/// </remarks>
internal static class AsideFiles
{
    private const string Mark = ".damaged-";
    private const string TimeForm = "yyyyMMdd'T'HHmmss'Z'";

    /// <summary>Where a spool repaired at this time (microseconds since the epoch) was put.</summary>
    public static string NameFor(string resolved, long repairedAt) =>
        resolved + Mark + SpoolTime.FromMicroseconds(repairedAt).UtcDateTime.ToString(TimeForm, CultureInfo.InvariantCulture);

    /// <summary>The second name of the file at the path that an interrupted repair left, or null.</summary>
    public static string? FindInterrupted(string resolved)
    {
        FileIdentity? now = FileIdentity.Find(resolved)?.Identity;
        return Directory.EnumerateFiles(Path.GetDirectoryName(resolved)!, Path.GetFileName(resolved) + Mark + "*")
            .FirstOrDefault(file => FileIdentity.Find(file)?.Identity == now);
    }

    /// <summary>Puts the file <paramref name="draft"/>, which is synced, in the place of the damaged spool, and that with its log under the name <paramref name="aside"/>.</summary>
    /// <exception cref="SpoolException">A step failed; the path names a spool all the same, the old one or the new one.</exception>
    public static void Exchange_NeedsLock(string resolved, string draft, string aside)
    {
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
    }

    private static void Require(int result, string act, string path)
    {
        if (result == 0)
        {
            return;
        }

        int error = Marshal.GetLastPInvokeError();
        throw new SpoolException(
            error is Libc.AccessDenied or Libc.NotPermitted ? SpoolFault.PermissionDenied : SpoolFault.InputOutput, path,
            $"cannot {act} {path}: {Libc.ErrorText(error)}", $"repair it as root, or as the account that owns {Path.GetDirectoryName(path)}");
    }
}
