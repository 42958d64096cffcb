using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Quickq.Spool.Schema;

/// <summary>Applies the embedded, numbered SQL to a new spool and judges the versions of an existing one.</summary>
internal static class SpoolSchema
{
    /// <summary>The format that this program makes and knows.</summary>
    public const int Format = 2;

    /// <summary>SQLite's <c>application_id</c> of a spool: "QQSP". A file without it is not ours.</summary>
    public const int ApplicationId = 0x51515350;

    /// <summary>The tables that spools of every format have.</summary>
    public static readonly IReadOnlyList<string> Tables = ["setting", "tally", "server", "message", "delivery", "suspension", "unassigned"];

    /// <summary>The first makes format 1; each further one raises the format by one.</summary>
    private static readonly string[] Steps = ["0001_initial.sql", "0002_targets_and_history.sql"];

    /// <summary>Makes the tables in an empty database, by the same steps that raise the format of an existing spool. Not durable until the caller's commit and sync.</summary>
    /// <param name="connection">The database.</param>
    /// <param name="format">Which format; an older one for the comparison with an older spool.</param>
    public static void Create(SqliteConnection connection, int format = Format)
    {
        // auto_vacuum can only be chosen before the first table is made; WAL is recorded in the header.
        connection.Execute("PRAGMA auto_vacuum=INCREMENTAL");
        connection.Execute("PRAGMA journal_mode=WAL");
        connection.Execute("BEGIN IMMEDIATE");
        Apply_NeedsTransaction(connection, from: 0, to: format);
        connection.Execute(string.Create(CultureInfo.InvariantCulture, $"PRAGMA application_id={ApplicationId}"));
        connection.Execute("COMMIT");
    }

    /// <summary>The format that the file says it has.</summary>
    public static long FormatOf(SqliteConnection connection) => connection.ReadNumber("PRAGMA user_version");

    /// <summary>Raises the format to <see cref="Format"/> where it is older; true when it did. Rewrites no row.</summary>
    public static bool Upgrade_NeedsTransaction(SqliteConnection connection)
    {
        long format = FormatOf(connection);
        if (format is < 1 or >= Format)
        {
            return false;
        }

        Apply_NeedsTransaction(connection, (int)format, Format);
        return true;
    }

    private static void Apply_NeedsTransaction(SqliteConnection connection, int from, int to)
    {
        foreach (string step in Steps[from..to])
        {
            connection.Execute(ReadStep(step));
        }

        string number = to.ToString(CultureInfo.InvariantCulture);
        connection.Execute($"UPDATE setting SET value = '{number}' WHERE name = 'format'; PRAGMA user_version={number}");
    }

    /// <summary>Refuses a database that is not a spool.</summary>
    public static void RequireSpool(SqliteConnection connection, string path)
    {
        if (connection.ReadNumber("PRAGMA application_id") != ApplicationId)
        {
            throw SqliteFailure.NotASpool(path);
        }
    }

    /// <summary>Refuses a spool that lacks one of its tables: its schema is damaged.</summary>
    public static void RequireWhole(SqliteConnection connection, string path)
    {
        string names = string.Join(", ", Tables.Select(table => $"'{table}'"));
        if (connection.ReadNumber($"SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ({names})") != Tables.Count)
        {
            throw new SpoolException(SpoolFault.Damaged, path, $"the spool {path} is damaged: it lacks a table", "run 'quickq-spool check'");
        }
    }

    /// <summary>Refuses a spool whose format this program must not write (or, being older than its oldest writer, not even read safely).</summary>
    /// <remarks>Called in each write transaction: an agent may upgrade the spool while producers have it open.</remarks>
    public static void RequireWritable(SqliteConnection connection, string path, SpoolLimits limits)
    {
        long version = connection.ReadNumber("PRAGMA user_version");

        // A newer format may say that this program can still write. Both places must agree, else the file is not understood at all.
        bool understood = version == limits.Format && limits.OldestWriter <= Format;
        if (version < 1 || (version > Format && !understood))
        {
            throw new SpoolException(SpoolFault.NewerFormat, path,
                $"the spool {path} has format {version.ToString(CultureInfo.InvariantCulture)}, this program knows format {Format.ToString(CultureInfo.InvariantCulture)}",
                "install the Quickq version that made it, or a newer one. To go back: 'quickq-spool export' with that version, 'import' into a new spool with this one");
        }
    }

    /// <inheritdoc cref="RequireWritable(SqliteConnection, string, SpoolLimits)"/>
    public static void RequireWritable(SqliteConnection connection, string path)
    {
        if (connection.ReadNumber("PRAGMA user_version") != Format)
        {
            using SqliteCommand settings = SpoolLimits.Select(connection);
            RequireWritable(connection, path, SpoolLimits.Read(settings, path));
        }
    }

    /// <summary>Refuses to read a spool of a newer format that this program must not write either: its rows may mean something else.</summary>
    public static void RequireReadable(SqliteConnection connection, string path) => RequireWritable(connection, path);

    private static string ReadStep(string name)
    {
        using Stream stream = typeof(SpoolSchema).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"the schema step {name} is not embedded");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
