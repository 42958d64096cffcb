using System.Globalization;
using System.Text;
using Microsoft.Data.Sqlite;

namespace Quickq.Spool.Repair;

/// <summary>How one table of the spool stores its rows: where its tree begins, and its columns in the order in which they are stored. Taken from a sound spool.</summary>
internal sealed record TableLayout(string Name, uint Root, bool IsIndex, IReadOnlyList<TableColumn> Columns)
{
    /// <summary>How many columns at the end came after format 1, by table; any of them may be NULL.</summary>
    private static readonly Dictionary<string, int> AddedColumns = new(StringComparer.Ordinal) { ["message"] = 2, ["server"] = 2 };

    /// <summary>How many of the last columns a stored row may lack.</summary>
    private int Added => AddedColumns.GetValueOrDefault(Name);

    /// <summary>Whether one row stands before another, by the key of the table.</summary>
    public bool IsBefore(object[] row, object[] other)
    {
        foreach (int key in Columns.Select((column, index) => (column, index)).Where(pair => pair.column.IsKey).Select(pair => pair.index))
        {
            int order = (row[key], other[key]) is (long first, long second) ? first.CompareTo(second) : string.CompareOrdinal(row[key] as string, other[key] as string);
            if (order != 0)
            {
                return order < 0;
            }
        }

        return false;
    }

    /// <summary>The layout of a table of <paramref name="sound"/>; a spool made by the same schema has its tree at the same page.</summary>
    public static TableLayout Of(SqliteConnection sound, string name)
    {
        using SqliteCommand find = sound.Prepare("SELECT rootpage, coalesce(sql, '') FROM sqlite_master WHERE type = 'table' AND name = $name", "$name");
        using SqliteDataReader table = find.Set("$name", name).ExecuteReader();
        if (!table.Read())
        {
            throw new InvalidOperationException($"the schema has no table {name}");
        }

        bool isIndex = table.GetString(1).Contains("WITHOUT ROWID", StringComparison.OrdinalIgnoreCase);
        using SqliteCommand list = sound.Prepare("SELECT name, type, \"notnull\", pk FROM pragma_table_info($name) ORDER BY cid", "$name");
        using SqliteDataReader row = list.Set("$name", name).ExecuteReader();
        var columns = new List<(TableColumn Column, int Key)>();
        while (row.Read())
        {
            int key = row.GetInt32(3);
            string type = row.GetString(1);
            bool isRowId = !isIndex && key > 0 && type is "INTEGER";
            columns.Add((new TableColumn(row.GetString(0), type, row.GetInt32(2) != 0 && !isRowId, isRowId, key > 0), key));
        }

        // A table without row ids stores its key first.
        return new TableLayout(name, (uint)table.GetInt64(0), isIndex,
            [.. (isIndex ? columns.OrderBy(column => column.Key == 0 ? int.MaxValue : column.Key) : columns.AsEnumerable()).Select(column => column.Column)]);
    }

    /// <summary>The place of a column among those stored.</summary>
    public int IndexOf(string column) => Columns.Select((candidate, index) => (candidate, index)).First(pair => string.Equals(pair.candidate.Name, column, StringComparison.Ordinal)).index;

    /// <summary>The values of a stored row for these columns, as they are stored; null when it is no row of this table.</summary>
    /// <param name="rowId">Its row id.</param>
    /// <param name="record">What is stored.</param>
    /// <param name="exact">
    /// Whether each column must hold what it was declared as. SQLite takes a number as a body and a blob as a routing key, so a row that a page leads to may hold anything but in
    /// its key; a row that nothing leads to must look like one of the table.
    /// </param>
    public object[]? Fit(long rowId, StoredRecord record, bool exact = false)
    {
        // A column that came with a newer format is not in the rows that were there before: it is NULL there.
        if (record.Count > Columns.Count || record.Count < Columns.Count - Added)
        {
            return null;
        }

        object[] values = new object[Columns.Count];
        for (int i = 0; i < values.Length; i++)
        {
            TableColumn column = Columns[i];
            values[i] = column.IsRowId ? rowId : i < record.Count ? record.Value(i) : DBNull.Value;
            if (!(values[i] is DBNull ? !column.NotNull : column.Holds(values[i]) || !(exact || column.IsKey)))
            {
                return null;
            }
        }

        return values;
    }

    /// <summary>Makes each value what its column was declared as, as far as it can be: text from bytes, no number at all from what is none.</summary>
    public void Convert(object[] row)
    {
        for (int i = 0; i < row.Length; i++)
        {
            TableColumn column = Columns[i];
            if (row[i] is not DBNull && !column.Holds(row[i]))
            {
                row[i] = column.Type is "TEXT" ? AsText(row[i]) : column.NotNull ? 0L : DBNull.Value;
            }
        }
    }

    /// <summary>A value as SQLite's readers see it when they ask for text.</summary>
    public static string AsText(object value) => value switch
    {
        byte[] bytes => Encoding.UTF8.GetString(bytes),
        RawText text => Encoding.UTF8.GetString(text.Bytes),
        _ => System.Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };
}

/// <summary>One column of a <see cref="TableLayout"/>.</summary>
internal sealed record TableColumn(string Name, string Type, bool NotNull, bool IsRowId, bool IsKey)
{
    /// <summary>Whether the column was declared for values of this kind.</summary>
    public bool Holds(object value) => Type switch
    {
        "INTEGER" => value is long,
        "REAL" => value is double or long,
        "TEXT" => value is string,
        _ => value is byte[] or string or RawText,
    };
}
