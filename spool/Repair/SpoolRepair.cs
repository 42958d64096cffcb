using System.Globalization;
using Microsoft.Data.Sqlite;
using Quickq.Spool.Files;
using Quickq.Spool.Repair;
using Quickq.Spool.Schema;
using Quickq.Spool.Storage;

namespace Quickq.Spool;

/// <summary>Saves what can be read of a damaged spool into a fresh one that takes its place.</summary>
/// <remarks>
/// Works while producers and the agent have the spool open: it holds the write lock from the first look to the last step, and whoever comes next finds the fresh file. Producers
/// wait meanwhile, up to 30 s each, and are told to try later after that. The damaged files are kept, all of them, beside the spool. Killed at any moment it leaves
/// the old spool whole (the next who takes the lock sees to that) or the new one, never none. A file that is not a spool is not touched.
/// </remarks>
public static class SpoolRepair
{
    /// <summary>Repairs the spool at <paramref name="path"/> if it is damaged; null when it is sound, and nothing was changed.</summary>
    /// <exception cref="SpoolException">There is none, it is not one, a newer format, no permission, no room for the fresh one.</exception>
    public static RepairReport? Run(string path) => Run(path, TimeProvider.System);

    internal static RepairReport? Run(string path, TimeProvider clock)
    {
        string resolved = SpoolPath.FollowLinks(path);
        RequireOurs(resolved);
        using var writeLock = new WriteLock(resolved);
        writeLock.Acquire(SpoolFile.LockDeadline);
        bool replaced = false;
        try
        {
            QuarantinedFiles.UndoInterrupted_NeedsLock(resolved);
            RequireOurs(resolved);
            if (IsSound(resolved))
            {
                return null;
            }

            RepairReport report = Replace_NeedsLock(resolved, clock.NowMicroseconds());
            replaced = true;
            LiveFile.CloseReplaced(resolved);
            return report;
        }
        catch (SqliteException failure)
        {
            throw new SpoolException(SqliteFailure.Translate(failure, resolved).Fault, resolved, $"the spool {resolved} is damaged and could not be repaired: {failure.Message}",
                $"the repair needs about {ByteSize.Describe(FileIdentity.SizeOf(resolved))} of free space beside the spool; it is as it was", failure);
        }
        catch (IOException failure)
        {
            throw new SpoolException(SpoolFault.InputOutput, resolved, $"the spool {resolved} could not be read for its repair: {failure.Message}", "it is as it was; look at the disk and the kernel log", failure);
        }
        finally
        {
            writeLock.Release(announce: replaced);
        }
    }

    /// <summary>Whether the file calls itself a spool, or holds all tables of one: a bit of the header may have gone bad.</summary>
    internal static bool IsOurs(string resolved)
    {
        if (FileIdentity.Find(resolved) is not { IsRegularFile: true })
        {
            return false; // opening a pipe would wait for its other end
        }

        try
        {
            using DatabaseImage image = DatabaseImage.Open(resolved, SpoolPath.WriteAheadLog(resolved));
            return image.IsSpool || HasItsTables(image);
        }
        catch (UnauthorizedAccessException)
        {
            throw new SpoolException(SpoolFault.PermissionDenied, resolved, $"no permission to read {resolved}", $"use an account of the group that owns {Path.GetDirectoryName(resolved)}");
        }
    }

    private static bool HasItsTables(DatabaseImage image)
    {
        // The schema is a table with its root on the first page: type, name, ...
        IEnumerable<string> tables = new BtreeWalk(image).Rows(root: 1, index: false)
            .Select(row => row is { Record: { Count: 5 } record } && record.Text(0) is "table" ? record.Text(1) : null).OfType<string>();
        return !SpoolSchema.Tables.Except(tables, StringComparer.Ordinal).Any();
    }

    private static void RequireOurs(string resolved)
    {
        SpoolFile.RequireExisting(resolved);

        // As long as SQLite can read it, SQLite tells.
        using SpoolFile? readable = TryOpen(resolved);
        if (readable is null && !IsOurs(resolved))
        {
            throw SqliteFailure.NotASpool(resolved);
        }
    }

    private static bool IsSound(string resolved)
    {
        using SpoolFile? file = TryOpen(resolved);
        try
        {
            return file is not null && SpoolCheck.FindDamage(file).Count == 0;
        }
        catch (SpoolException unreadable) when (IsUnreadable(unreadable))
        {
            return false;
        }
    }

    /// <summary>Null when SQLite cannot read it (any more).</summary>
    private static SpoolFile? TryOpen(string resolved)
    {
        try
        {
            return SpoolFile.OpenForReading(resolved);
        }
        catch (SpoolException unreadable) when (IsUnreadable(unreadable))
        {
            return null;
        }
    }

    private static bool IsUnreadable(SpoolException failure) => failure.Fault is SpoolFault.Damaged or SpoolFault.NotASpool or SpoolFault.InputOutput;

    private static RepairReport Replace_NeedsLock(string resolved, long now)
    {
        string aside = QuarantinedFiles.FreeNameFor(resolved, now);
        string draft = string.Create(CultureInfo.InvariantCulture, $"{resolved}.new.{Environment.ProcessId}");
        using DatabaseImage image = DatabaseImage.Open(resolved, SpoolPath.WriteAheadLog(resolved));
        try
        {
            SpoolCreation.RemoveDrafts_NeedsLock(resolved);
            SpoolCreation.WriteDraft(draft);
            RepairReport report = Fill(draft, image, now, aside);
            SpoolCreation.SyncPath(draft, draft);
            QuarantinedFiles.Exchange_NeedsLock(resolved, draft, aside);
            return report;
        }
        finally
        {
            SpoolCreation.RemoveDraft(draft);
        }
    }

    private static RepairReport Fill(string draft, DatabaseImage image, long now, string aside)
    {
        using SqliteConnection fresh = SpoolConnection.Connect(draft);

        // Nobody knows of the draft yet: it is synced once, as a whole, when it is complete.
        fresh.Execute("PRAGMA foreign_keys=OFF; PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF");
        List<(string Name, string Sql)> triggers = ReadTriggers(fresh);
        fresh.Execute("BEGIN IMMEDIATE");
        triggers.ForEach(trigger => fresh.Execute($"DROP TRIGGER {trigger.Name}"));
        RepairReport report = new SpoolRescue(fresh).Run(image, now, aside);
        triggers.ForEach(trigger => fresh.Execute(trigger.Sql));
        fresh.Execute("COMMIT");
        fresh.Execute("PRAGMA journal_mode=WAL; PRAGMA wal_checkpoint(TRUNCATE)");
        return report;
    }

    private static List<(string Name, string Sql)> ReadTriggers(SqliteConnection fresh)
    {
        using SqliteCommand select = fresh.Prepare("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY rowid");
        using SqliteDataReader row = select.ExecuteReader();
        var triggers = new List<(string, string)>();
        while (row.Read())
        {
            triggers.Add((row.GetString(0), row.GetString(1)));
        }

        return triggers;
    }
}
