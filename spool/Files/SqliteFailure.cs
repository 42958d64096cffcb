using Microsoft.Data.Sqlite;
using Quickq.Spool.Files;
using SQLitePCL;

namespace Quickq.Spool;

/// <summary>Says in Quickq's words what an error of SQLite means for the user of a spool.</summary>
internal static class SqliteFailure
{
    public static SpoolException Translate(SqliteException failure, string path)
    {
        string folder = Path.GetDirectoryName(path) ?? "/";
        return failure.SqliteErrorCode switch
        {
            raw.SQLITE_FULL => DiskFull(path, failure),

            // A full disk has other names too: where the log's index cannot grow, or a file beside the spool cannot be made.
            raw.SQLITE_CANTOPEN when !CanOpenAnyFile() => TooManyOpenFiles(path, failure),
            raw.SQLITE_IOERR or raw.SQLITE_CANTOPEN when FileSystemSpace.IsFull(folder) => DiskFull(path, failure),
            raw.SQLITE_READONLY or raw.SQLITE_CANTOPEN or raw.SQLITE_IOERR when FileSystemSpace.IsReadOnly(folder) => new(SpoolFault.InputOutput, path,
                $"{folder} is on a read-only file system", "mount it writable, or name another spool; the kernel log says whether the disk is at fault", failure),
            raw.SQLITE_BUSY or raw.SQLITE_LOCKED => new(SpoolFault.Busy, path, "another program kept the database locked",
                "programs other than Quickq must run as 'flock " + path + ".lock ...'; try later", failure),
            raw.SQLITE_NOTADB => NotASpool(path),
            raw.SQLITE_CORRUPT => new(SpoolFault.Damaged, path, $"the spool {path} is damaged ({failure.Message})",
                "run 'quickq-spool check --repair'; the agent does so by itself", failure),
            raw.SQLITE_READONLY or raw.SQLITE_CANTOPEN or raw.SQLITE_PERM or raw.SQLITE_AUTH => new(SpoolFault.PermissionDenied, path,
                $"no permission to write {path} and the files beside it", "run it as the account that owns the spool", failure),
            raw.SQLITE_CONSTRAINT => new(SpoolFault.InvalidMessage, path, $"the spool refused the row: {failure.Message}", hint: null, failure),
            raw.SQLITE_TOOBIG => new(SpoolFault.InvalidMessage, path, "the message is larger than SQLite can store", hint: null, failure),
            _ => new(SpoolFault.InputOutput, path, $"reading or writing {path} failed ({failure.Message}); nothing was stored",
                "look at the disk and the kernel log, then try again", failure),
        };
    }

    /// <summary>The refusal when this process, or the system, has no descriptor left.</summary>
    public static SpoolException TooManyOpenFiles(string path, Exception? failure = null) => new(SpoolFault.InputOutput, path,
        $"cannot open {path}: too many open files; nothing was stored", "raise the limit of open files (ulimit -n, LimitNOFILE=)", failure);

    private static bool CanOpenAnyFile()
    {
        int descriptor = Libc.Open("/dev/null", Libc.ReadOnly | Libc.CloseOnExec, 0);
        if (descriptor < 0)
        {
            return System.Runtime.InteropServices.Marshal.GetLastPInvokeError() is not (Libc.TooManyOpenFiles or Libc.TooManyOpenFilesInSystem);
        }

        Libc.Close(descriptor);
        return true;
    }

    /// <summary>The refusal when the file system has no room at all, not even what <c>minFreeDisk</c> keeps.</summary>
    public static SpoolException DiskFull(string path, Exception? failure = null) => new(SpoolFault.Full, path,
        $"the file system of {Path.GetDirectoryName(path)} is full; nothing was stored",
        "free some space there; delivered messages can be purged ('quickq-spool purge')", failure);

    /// <summary>The refusal of a file that is not a spool.</summary>
    public static SpoolException NotASpool(string path) => new(SpoolFault.NotASpool, path,
        $"{path} is not a Quickq spool; it was left as it is", $"name another path with --spool or {SpoolPath.Variable}");
}
