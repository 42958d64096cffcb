using Microsoft.Data.Sqlite;
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
            raw.SQLITE_FULL => new(SpoolFault.Full, path, $"the file system of {folder} is full; nothing was stored",
                "free some space; delivered messages can be purged ('quickq-spool purge')", failure),
            raw.SQLITE_BUSY or raw.SQLITE_LOCKED => new(SpoolFault.Busy, path, "another program kept the database locked",
                "programs other than Quickq must run as 'flock " + path + ".lock ...'; try later", failure),
            raw.SQLITE_NOTADB => Schema.SpoolSchema.NotASpool(path),
            raw.SQLITE_CORRUPT => new(SpoolFault.Damaged, path, $"the spool {path} is damaged ({failure.Message})",
                "run 'quickq-spool check'", failure),
            raw.SQLITE_READONLY or raw.SQLITE_CANTOPEN or raw.SQLITE_PERM or raw.SQLITE_AUTH => new(SpoolFault.PermissionDenied, path,
                $"cannot write {path}: no permission, or its file system is read-only", $"use an account of the group that owns {folder}", failure),
            raw.SQLITE_CONSTRAINT => new(SpoolFault.InvalidMessage, path, $"the spool refused the row: {failure.Message}", hint: null, failure),
            raw.SQLITE_TOOBIG => new(SpoolFault.InvalidMessage, path, "the message is larger than SQLite can store", hint: null, failure),
            _ => new(SpoolFault.InputOutput, path, $"reading or writing {path} failed ({failure.Message}); nothing was stored",
                "look at the disk and the kernel log, then try again", failure),
        };
    }
}
