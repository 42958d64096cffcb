using Microsoft.Data.Sqlite;
using Quickq.Spool.Files;

namespace Quickq.Spool.Upkeep;

/// <summary>Moves the write-ahead log into the main file, under the lock, so that no checkpoint ever overlaps a commit.</summary>
/// <remarks>The agent does it; a producer only when no agent runs. Never waits for a reader: what a reader still needs stays for the next time.</remarks>
internal static class Checkpointer
{
    /// <summary>Whether the log is larger than its limit, or than <paramref name="lowerLimit"/>.</summary>
    public static bool IsNeeded(string resolved, long lowerLimit = long.MaxValue) =>
        FileIdentity.SizeOf(SpoolPath.WriteAheadLog(resolved)) > Math.Min(lowerLimit, SpoolLimits.MaxWriteAheadLog(FileSystemSpace.Of(Path.GetDirectoryName(resolved)!)));

    /// <summary>Checkpoints when the log is larger than its limit, or than <paramref name="lowerLimit"/>. Returns true when it did anything.</summary>
    public static bool RunIfNeeded(SpoolFile file, bool onlyWithoutAgent, long lowerLimit = long.MaxValue, CancellationToken stop = default)
    {
        if (!IsNeeded(file.Path, lowerLimit) || (onlyWithoutAgent && AgentLock.FindHolder(file.Path) is not null))
        {
            return false;
        }

        file.UnderLock(connection => Run_NeedsLock(connection), stop);
        return true;
    }

    /// <summary>PASSIVE first; TRUNCATE only when that moved everything, because a TRUNCATE waits for readers while everybody waits for us.</summary>
    public static bool Run_NeedsLock(SqliteConnection connection)
    {
        connection.Execute("PRAGMA busy_timeout=0");
        try
        {
            return IsComplete(connection, "PRAGMA wal_checkpoint(PASSIVE)") && IsComplete(connection, "PRAGMA wal_checkpoint(TRUNCATE)");
        }
        finally
        {
            connection.Execute("PRAGMA busy_timeout=5000");
        }
    }

    private static bool IsComplete(SqliteConnection connection, string pragma)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = pragma;
        using SqliteDataReader row = command.ExecuteReader();

        // busy, frames in the log, frames checkpointed
        return row.Read() && row.GetInt64(0) == 0 && row.GetInt64(1) == row.GetInt64(2);
    }
}
