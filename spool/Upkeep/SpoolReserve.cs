using System.Runtime.InteropServices;
using Quickq.Spool.Files;

namespace Quickq.Spool.Upkeep;

/// <summary>
/// A file beside the spool that holds room on the disk: twice what the log may have. A full disk refuses to record a confirm, to remove a message and to
/// checkpoint; the agent gives this room up then, and can go on.
/// </summary>
internal static class SpoolReserve
{

    /// <summary>Bytes that a reserve on this file system has.</summary>
    public static long SizeFor(string resolved) => 2 * SpoolLimits.MaxWriteAheadLog(FileSystemSpace.Of(Path.GetDirectoryName(resolved)!));

    /// <summary>Whether the reserve is there, whole.</summary>
    public static bool Exists(string resolved) => FileIdentity.SizeOf(SpoolPath.ReserveFile(resolved)) >= SizeFor(resolved);

    /// <summary>Makes it; null when it is there, else why it cannot be.</summary>
    public static string? Make(string resolved)
    {
        string path = SpoolPath.ReserveFile(resolved);
        int descriptor = Libc.Open(path, Libc.ReadWrite | Libc.Create | Libc.CloseOnExec | Libc.NoFollow, LockFile.OwnerOnly);
        if (descriptor < 0)
        {
            return Libc.ErrorText(Marshal.GetLastPInvokeError());
        }

        _ = Libc.ChangeMode(descriptor, LockFile.OwnerOnly);
        int error = Libc.Allocate(descriptor, 0, SizeFor(resolved));
        Libc.Close(descriptor);
        if (error == 0)
        {
            return null;
        }

        // Half a reserve would only take room away from the spool.
        GiveUp(resolved);
        return Libc.ErrorText(error);
    }

    /// <summary>Gives the room back to the disk; false when there was none.</summary>
    public static bool GiveUp(string resolved) => Libc.Unlink(SpoolPath.ReserveFile(resolved)) == 0;
}
