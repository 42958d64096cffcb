using System.Globalization;
using Microsoft.Data.Sqlite;
using Quickq.Spool.Inspect;
using Quickq.Spool.Files;
using Quickq.Spool.Repair;
using Quickq.Spool.Storage;

namespace Quickq.Spool;

/// <summary>Looks a spool over: the file, what its rows say against each other, and what is around it. Changes nothing.</summary>
/// <remarks>Reads the whole file. While it does, the write-ahead log cannot be cut back: best run when little is going on.</remarks>
public static class SpoolCheck
{
    private const string Integrity = "integrity", Settings = "settings", Counters = "counters";

    /// <summary>Everything that was looked at, in the order in which it was.</summary>
    /// <exception cref="SpoolException">There is no spool, it is not one, no permission, a newer format.</exception>
    public static IReadOnlyList<CheckFinding> Run(string path)
    {
        string resolved = SpoolPath.FollowLinks(path);
        string folder = Path.GetDirectoryName(resolved)!;
        var findings = new List<CheckFinding>();
        CheckReaders(resolved, findings);
        findings.AddRange(OrphanedWal.Find(resolved).Select(kept => new CheckFinding("leftOver", CheckLevel.Warning, OrphanedWal.Describe(kept))));
        try
        {
            using SpoolFile file = SpoolFile.OpenForReading(path);
            findings.Add(Good("sqlite", SQLitePCL.raw.sqlite3_libversion().utf8_to_string()));
            findings.Add(FileSystem(folder));
            findings.Add(Good("permissions", "this account's alone")); // opening refuses anything else
            CheckContent(file, findings);
            Guarded(findings, "space", () => file.Read(connection => CheckSpace(connection, resolved, folder)));
        }
        catch (SpoolException unreadable) when (unreadable.Fault is SpoolFault.Damaged or SpoolFault.NotASpool && SpoolRepair.IsOurs(resolved))
        {
            findings.Add(new CheckFinding(Integrity, CheckLevel.Damaged, unreadable.Message));
        }

        findings.Add(AgentLock.FindHolder(resolved) is { } pid
            ? Good("agent", string.Create(CultureInfo.InvariantCulture, $"runs (pid {pid})"))
            : new CheckFinding("agent", CheckLevel.Warning, "not running; nothing is delivered until it starts"));
        return findings;
    }

    /// <summary>What is wrong with the file itself and its rows; nothing when it is sound.</summary>
    internal static IReadOnlyList<CheckFinding> FindDamage(SpoolFile file)
    {
        var findings = new List<CheckFinding>();
        CheckContent(file, findings);
        return [.. findings.Where(finding => finding.Level == CheckLevel.Damaged)];
    }

    private static void CheckContent(SpoolFile file, List<CheckFinding> findings)
    {
        Guarded(findings, Integrity, () => CheckIntegrity(file).Concat(CheckWal(file.Path)));
        Guarded(findings, Settings, () => file.Read(connection => CheckSettings(connection, file.Path)));
        Guarded(findings, Counters, () => file.Read(CheckCounters));
    }

    private static void Guarded(List<CheckFinding> findings, string check, Func<IEnumerable<CheckFinding>> look)
    {
        try
        {
            List<CheckFinding> found = [.. look()];
            findings.AddRange(found.Count > 0 ? found : [Good(check, "good")]);
        }
        catch (SpoolException failure) when (failure.Fault is SpoolFault.Damaged or SpoolFault.InputOutput)
        {
            findings.Add(new CheckFinding(check, CheckLevel.Damaged, failure.InnerException?.Message ?? failure.Message));
        }
    }

    /// <summary>Looked at before this process reads itself.</summary>
    private static void CheckReaders(string resolved, List<CheckFinding> findings)
    {
        IReadOnlyList<string> readers = LongReaders.Find(resolved);
        findings.AddRange(readers.Count == 0
            ? [Good("readers", "no long-running reader blocks checkpoints")]
            : readers.Select(reader => new CheckFinding("readers", CheckLevel.Warning, $"{reader} reads the spool without a pause: its write-ahead log grows until that ends")));
    }

    private static CheckFinding FileSystem(string folder) => FileSystemSpace.Of(folder).NetworkName is { } network
        ? new("fileSystem", CheckLevel.Warning, $"{folder} is on {network}: several hosts would damage the spool; put it on a local disk")
        : Good("fileSystem", "local");

    private static List<CheckFinding> CheckIntegrity(SpoolFile file) => file.Read(connection =>
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "PRAGMA integrity_check(20)";
        var found = new List<CheckFinding>();
        using SqliteDataReader row = command.ExecuteReader();
        while (row.Read())
        {
            if (row.GetString(0) is not "ok" and var fault)
            {
                found.Add(new(Integrity, CheckLevel.Damaged, fault));
            }
        }

        return found;
    });

    private static IEnumerable<CheckFinding> CheckWal(string resolved) =>
        WalCheck.FindDamage(resolved) is { } damage ? [new(Integrity, CheckLevel.Damaged, damage)] : [];

    private static List<CheckFinding> CheckSettings(SqliteConnection connection, string path)
    {
        using SqliteCommand settings = SpoolLimits.Select(connection);
        _ = SpoolLimits.Read(settings, path);
        return [];
    }

    private static List<CheckFinding> CheckCounters(SqliteConnection connection)
    {
        var found = new List<CheckFinding>();

        // One snapshot, or a message that comes in between would look like a fault.
        connection.Execute("BEGIN");
        try
        {
            RequireNumbers("tally", "name", "value");
            RequireNumbers("server", "name", "active", "paused", "pending", "deferred", "held", "rejected", "delivered", "expired", "cancelled", "unrouted", "rewind");
            Fault(connection.ReadNumber("SELECT count(*) FROM server WHERE typeof(name) <> 'text'"), "servers whose name is not text");
            if (found.Count > 0)
            {
                return found; // they cannot be compared with anything
            }

            Compare("messages", "SELECT seq FROM sqlite_sequence WHERE name = 'message'", "SELECT (SELECT count(*) FROM message) + (SELECT value FROM tally WHERE name = 'removed')");
            Compare("unassigned messages", "SELECT value FROM tally WHERE name = 'unassigned'", "SELECT count(*) FROM unassigned");
            foreach ((long id, string name) in ReadServers(connection))
            {
                foreach (string state in (ReadOnlySpan<string>)[DeliveryState.Pending, DeliveryState.Deferred, DeliveryState.Held, DeliveryState.Rejected])
                {
                    Compare($"{state} at {name}", $"SELECT {state} FROM server WHERE id = {id}", $"SELECT count(*) FROM delivery WHERE server = {id} AND state = '{state}'");
                }
            }

            long orphans = connection.ReadNumber("SELECT count(*) FROM delivery WHERE NOT EXISTS (SELECT 1 FROM message WHERE seq = delivery.message)");
            long stranded = connection.ReadNumber(
                """
                SELECT count(*) FROM message WHERE NOT EXISTS (SELECT 1 FROM delivery WHERE message = seq) AND NOT EXISTS (SELECT 1 FROM unassigned WHERE message = seq)
                """);
            Fault(orphans, "deliveries without their message");
            Fault(stranded, "messages that no server would get");
            return found;
        }
        finally
        {
            connection.Execute("ROLLBACK");
        }

        void RequireNumbers(string table, string name, params ReadOnlySpan<string> columns)
        {
            foreach (string column in columns)
            {
                found.AddRange(connection.ReadRows(
                    $"SELECT {name} FROM {table} WHERE typeof({column}) NOT IN ('integer', 'null')",
                    row => new CheckFinding(Counters, CheckLevel.Damaged, $"{table} {row.TextOrNull(0)}: {column} is not a whole number")));
            }
        }

        void Compare(string what, string counted, string rows)
        {
            long kept = connection.ReadNumber(counted), there = connection.ReadNumber(rows);
            if (kept != there)
            {
                found.Add(new(Counters, CheckLevel.Damaged, string.Create(CultureInfo.InvariantCulture, $"{what}: the counter says {kept}, the rows say {there}")));
            }
        }

        void Fault(long count, string what)
        {
            if (count > 0)
            {
                found.Add(new(Counters, CheckLevel.Damaged, string.Create(CultureInfo.InvariantCulture, $"{count} {what}")));
            }
        }
    }

    private static List<CheckFinding> CheckSpace(SqliteConnection connection, string path, string folder)
    {
        using SqliteCommand settings = SpoolLimits.Select(connection);
        SpoolLimits limits = SpoolLimits.Read(settings, path);
        try
        {
            limits.RequireFreeSpace(FreeSpace.Read(connection, path), path, incoming: 0);
        }
        catch (SpoolException full) when (full.Fault is SpoolFault.Full)
        {
            return [new("space", CheckLevel.Warning, $"{full.Message.Replace("; nothing was stored", "", StringComparison.Ordinal)}: new messages are refused")];
        }

        return [Good("space", $"{ByteSize.Describe(FileSystemSpace.Of(folder).AvailableBytes)} are free")];
    }

    private static List<(long Id, string Name)> ReadServers(SqliteConnection connection)
    {
        using SqliteCommand select = connection.CreateCommand();
        select.CommandText = "SELECT id, name FROM server ORDER BY name";
        var servers = new List<(long, string)>();
        using SqliteDataReader row = select.ExecuteReader();
        while (row.Read())
        {
            servers.Add((row.GetInt64(0), row.TextOrNull(1) ?? "a server without a name"));
        }

        return servers;
    }

    private static CheckFinding Good(string check, string text) => new(check, CheckLevel.Good, text);
}

/// <summary>What a check found.</summary>
/// <param name="Check">What was looked at: <c>sqlite</c>, <c>readers</c>, <c>leftOver</c> (only where something is), <c>fileSystem</c>, <c>permissions</c>, <c>integrity</c>, <c>settings</c>, <c>counters</c>, <c>space</c>, <c>agent</c>.</param>
/// <param name="Level">How bad it is.</param>
/// <param name="Text">What was found.</param>
public sealed record CheckFinding(string Check, CheckLevel Level, string Text);

/// <summary>How bad a finding is.</summary>
public enum CheckLevel
{
    /// <summary>As it should be.</summary>
    Good,

    /// <summary>Somebody should look at it; what is in the spool is sound.</summary>
    Warning,

    /// <summary>The file, or what its rows say, is wrong.</summary>
    Damaged,
}
