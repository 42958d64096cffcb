using System.Globalization;
using Microsoft.Data.Sqlite;
using Quickq.Spool.Repair;
using Quickq.Spool.Storage;
using SQLitePCL;

namespace Quickq.Spool.Repair;

/// <summary>SQLite's check of the whole file, given up after a time: it reads a snapshot, and the write-ahead log cannot be cut back meanwhile.</summary>
internal static class TimedCheck
{
    private const int InstructionsBetweenLooks = 20_000;

    /// <summary>What is wrong, or null; <paramref name="finished"/> is false when the time was over first.</summary>
    /// <exception cref="SpoolException">The spool cannot be opened for another reason than damage.</exception>
    public static string? Run(string path, TimeSpan budget, TimeProvider clock, CancellationToken stopping, out bool finished)
    {
        finished = true;
        long begin = clock.GetTimestamp();
        try
        {
            using SpoolFile file = SpoolFile.OpenForReading(path);
            SqliteConnection connection = file.Connection;
            raw.sqlite3_progress_handler(connection.Handle!, InstructionsBetweenLooks, _ => stopping.IsCancellationRequested || clock.GetElapsedTime(begin) > budget ? 1 : 0, null);
            using SqliteCommand check = connection.CreateCommand();
            check.CommandText = "PRAGMA integrity_check(1)";
            string said = Convert.ToString(check.ExecuteScalar(), CultureInfo.InvariantCulture) ?? "";
            return said is "ok" ? WalCheck.FindDamage(file.Path) : said.ReplaceLineEndings(" ");
        }
        catch (SqliteException interrupted) when (interrupted.SqliteErrorCode == raw.SQLITE_INTERRUPT)
        {
            finished = false;
            return null;
        }
        catch (SqliteException failure) when (failure.SqliteErrorCode is raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB)
        {
            return failure.Message;
        }
        catch (SpoolException failure) when (failure.Fault is SpoolFault.Damaged or SpoolFault.NotASpool)
        {
            return failure.Message;
        }
    }
}
