using System.Runtime.InteropServices;

namespace Quickq.Spool.Locking;

/// <summary>Opens the files that carry locks: never through .NET, whose own opening already takes a <c>flock</c>.</summary>
internal static class LockFile
{
    private const int GroupMayUse = 0x1B0; // 0660

    /// <summary>Opens the file for reading and writing, making it with mode 0660 whatever the umask; returns the descriptor.</summary>
    /// <exception cref="SpoolException">It cannot be opened or made.</exception>
    public static int Open(string path, string spool)
    {
        // Without O_CREAT first: in a sticky folder the kernel refuses O_CREAT on somebody else's file (fs.protected_regular).
        while (true)
        {
            int descriptor = Libc.Open(path, Libc.ReadWrite | Libc.CloseOnExec | Libc.NoFollow, 0);
            if (descriptor >= 0)
            {
                return descriptor;
            }

            int error = Marshal.GetLastPInvokeError();
            if (error == Libc.NoEntry)
            {
                descriptor = Libc.Open(path, Libc.ReadWrite | Libc.Create | Libc.Exclusive | Libc.CloseOnExec | Libc.NoFollow, GroupMayUse);
                if (descriptor >= 0)
                {
                    // The mode given to open() passes the umask; this one does not. It cannot fail on a file just made.
                    _ = Libc.ChangeMode(descriptor, GroupMayUse);
                    return descriptor;
                }

                error = Marshal.GetLastPInvokeError();
            }

            if (error is Libc.Interrupted or Libc.Exists)
            {
                continue;
            }

            throw Refusal(path, spool, error);
        }
    }

    private static SpoolException Refusal(string path, string spool, int error)
    {
        string folder = Path.GetDirectoryName(spool) ?? "/";
        return error switch
        {
            Libc.NoEntry => new SpoolException(SpoolFault.CannotCreate, spool, $"the folder {folder} does not exist",
                $"make it (mkdir -p {folder}), or name another spool with --spool or {SpoolPath.Variable}"),
            Libc.AccessDenied or Libc.NotPermitted => new SpoolException(SpoolFault.PermissionDenied, spool,
                $"no permission to write {path}", $"join the group that owns {folder}, or name another spool with --spool or {SpoolPath.Variable}"),
            Libc.NoSpace or Libc.QuotaExceeded => SqliteFailure.DiskFull(spool),
            Libc.ReadOnlyFileSystem => new SpoolException(SpoolFault.InputOutput, spool,
                $"{folder} is on a read-only file system", "mount it writable, or name another spool"),
            Libc.Loop => new SpoolException(SpoolFault.PermissionDenied, spool,
                $"{path} is a symbolic link, which a lock must not be", "remove the link"),
            _ => new SpoolException(SpoolFault.InputOutput, spool, $"cannot open {path}: {Libc.ErrorText(error)}"),
        };
    }
}
