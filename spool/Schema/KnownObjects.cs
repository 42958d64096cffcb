using Microsoft.Data.Sqlite;

namespace Quickq.Spool.Schema;

/// <summary>Compares the tables, indexes and triggers of a spool with those that Quickq makes. Anything else is damage: a trigger runs in everybody's transactions.</summary>
internal static class KnownObjects
{
    /// <summary>
    /// The 64-bit FNV-1a hash of all of them, by format from 1 on, so that a sound spool costs one query. It finds what chance or another program changed; against somebody who
    /// writes the file at will no hash would help. SHA-256 would load a library that takes longer than an <c>add</c>.
    /// </summary>
    internal static readonly ulong[] Fingerprints = [0x004917730F832C9C, 0x409E15B8EB3C03EB];

    private const string Select = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT GLOB 'sqlite_*' ORDER BY type, name";

    /// <summary>Refuses a spool that has an object more, fewer, or another one. One of a newer format has others, which this program does not know.</summary>
    /// <exception cref="SpoolException"><see cref="SpoolFault.Damaged"/>, with the object.</exception>
    public static void Require(SqliteConnection connection, string path)
    {
        long format = SpoolSchema.FormatOf(connection);
        if (format is >= 1 and <= SpoolSchema.Format && Describe(connection, (int)format) is { } difference)
        {
            throw new SpoolException(SpoolFault.Damaged, path, $"the spool {path} is damaged: {difference}", "quickq-spool check --repair");
        }
    }

    /// <summary>The first difference from a spool of this format; null when there is none.</summary>
    private static string? Describe(SqliteConnection connection, int format)
    {
        List<Entry> found = Read(connection);
        return Digest(found) == Fingerprints[format - 1] ? null : Compare(found, ReadOwn(format));
    }

    internal static ulong FingerprintOfOwn(int format) => Digest(ReadOwn(format));

    private static string? Compare(List<Entry> found, List<Entry> own)
    {
        Entry? strange = found.FirstOrDefault(entry => !own.Exists(entry.IsNamedLike));
        Entry? missing = own.Find(known => !found.Exists(known.IsNamedLike));
        Entry? changed = found.Find(entry => !own.Contains(entry));
        return strange is not null ? $"it has a {strange.Type} '{strange.Name}' that is not Quickq's"
            : missing is not null ? $"it lacks the {missing.Type} '{missing.Name}'"
            : changed is not null ? $"its {changed.Type} '{changed.Name}' was changed"
            : null;
    }

    private static List<Entry> ReadOwn(int format)
    {
        using var memory = new SpoolConnection(":memory:");
        SpoolSchema.Create(memory, format);
        return Read(memory);
    }

    private static List<Entry> Read(SqliteConnection connection)
    {
        using SqliteCommand select = connection.Prepare(Select);
        using SqliteDataReader row = select.ExecuteReader();
        var entries = new List<Entry>();
        while (row.Read())
        {
            entries.Add(new Entry(row.TextOrNull(0) ?? "", row.TextOrNull(1) ?? "", row.TextOrNull(2) ?? "", row.TextOrNull(3) ?? ""));
        }

        return entries;
    }

    private static ulong Digest(List<Entry> entries)
    {
        ulong hash = 14695981039346656037;
        foreach (string part in entries.SelectMany(entry => (string[])[entry.Type, entry.Name, entry.Table, entry.Sql]))
        {
            foreach (char unit in part)
            {
                hash = (hash ^ unit) * 1099511628211;
            }

            hash *= 1099511628211; // as a NUL: where a part ends counts too
        }

        return hash;
    }

    private sealed record Entry(string Type, string Name, string Table, string Sql)
    {
        public bool IsNamedLike(Entry other) => string.Equals(Type, other.Type, StringComparison.Ordinal) && string.Equals(Name, other.Name, StringComparison.Ordinal);
    }
}
