using Microsoft.Data.Sqlite;
using Quickq.Spool;

namespace Quickq.Agent.Ledger;

/// <summary>What the agent says of itself in the spool: one row, that of the agent that runs or ran last.</summary>
internal static class AgentRecord
{
    /// <summary>This agent runs from now on; how the one before it ended is kept.</summary>
    public static void Start_NeedsTransaction(SqliteConnection connection, string version, int pid, string configPath, long now)
    {
        string? before = connection.ReadRows("SELECT CASE WHEN stopped_at IS NULL THEN 'killed' ELSE 'stopped' END FROM agent", static row => row.GetString(0)).SingleOrDefault();
        connection.Execute(
            "INSERT OR REPLACE INTO agent (id, version, pid, since, predecessor, config_path) VALUES (1, $version, $pid, $now, $before, $path)",
            ("$version", version), ("$pid", pid), ("$now", now), ("$before", before), ("$path", configPath));
    }

    /// <summary>The configuration was read again: null, or why it was refused.</summary>
    public static void NoteConfiguration_NeedsTransaction(SqliteConnection connection, string? error) =>
        connection.Execute("UPDATE agent SET config_error = $error WHERE config_error IS NOT $error", ("$error", error));

    /// <summary>The agent ends by itself.</summary>
    public static void Stop_NeedsTransaction(SqliteConnection connection, long now) => connection.Execute("UPDATE agent SET stopped_at = $now", ("$now", now));
}
