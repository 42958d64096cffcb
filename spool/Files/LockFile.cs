using System.Runtime.InteropServices;

namespace Quickq.Spool.Files;

/// <summary>Opens the files that carry locks: never through .NET, whose own opening already takes a <c>flock</c>.</summary>
internal static class LockFile
{
    /// <summary>The mode of every file of a spool: 0600.</summary>
    public const int OwnerOnly = 0x180;

    /// <summary>Opens the file for reading and writing, making it with mode 0600 whatever the umask; returns the descriptor.</summary>
    /// <exception cref="SpoolException">It cannot be opened or made.</exception>
    public static int Open(string path, string spool)
    {
        while (true)
        {
            int descriptor = Libc.Open(path, Libc.ReadWrite | Libc.Create | Libc.CloseOnExec | Libc.NoFollow, OwnerOnly);
            int error = Marshal.GetLastPInvokeError();
            if (descriptor >= 0 && (FileStatus.OfDescriptor(descriptor)?.Permissions == OwnerOnly || Libc.ChangeMode(descriptor, OwnerOnly) == 0))
            {
                return descriptor;
            }

            if (descriptor >= 0)
            {
                error = Marshal.GetLastPInvokeError();
                Libc.Close(descriptor);
            }

            if (error != Libc.Interrupted)
            {
                throw Refusal(path, spool, error);
            }
        }
    }

    private static SpoolException Refusal(string path, string spool, int error)
    {
        string folder = Path.GetDirectoryName(spool) ?? "/";
        return error switch
        {
            Libc.NoEntry or Libc.NotAFolder => SpoolOwnership.FolderMissing(spool),
            Libc.AccessDenied or Libc.NotPermitted => new SpoolException(SpoolFault.PermissionDenied, spool,
                $"no permission to write {path}", "run it as the account that owns the spool"),
            Libc.NoSpace or Libc.QuotaExceeded => SqliteFailure.DiskFull(spool),
            Libc.TooManyOpenFiles or Libc.TooManyOpenFilesInSystem => SqliteFailure.TooManyOpenFiles(spool),
            Libc.ReadOnlyFileSystem => new SpoolException(SpoolFault.InputOutput, spool,
                $"{folder} is on a read-only file system", "mount it writable, or name another spool"),
            Libc.Loop => new SpoolException(SpoolFault.PermissionDenied, spool,
                $"{path} is a symbolic link, which a lock must not be", "remove the link"),
            _ => new SpoolException(SpoolFault.InputOutput, spool, $"cannot open {path}: {Libc.ErrorText(error)}"),
        };
    }
}
