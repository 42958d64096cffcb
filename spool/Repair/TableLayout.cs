using Microsoft.Data.Sqlite;

namespace Quickq.Spool.Repair;

/// <summary>How one table of the spool stores its rows: where its tree begins, and its columns in the order in which they are stored. Taken from a sound spool.</summary>
internal sealed record TableLayout(string Name, uint Root, bool IsIndex, IReadOnlyList<TableColumn> Columns)
{
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

    /// <summary>The values of a stored row for these columns; null when it is no row of this table.</summary>
    public object[]? Fit(long rowId, StoredRecord record)
    {
        if (record.Count != Columns.Count)
        {
            return null;
        }

        object[] values = new object[Columns.Count];
        for (int i = 0; i < values.Length; i++)
        {
            TableColumn column = Columns[i];
            object? value = column.IsRowId ? rowId : column.Type switch
            {
                "INTEGER" => record.Number(i),
                "REAL" => record.Real(i),
                "TEXT" => record.Text(i),
                _ => record.Bytes(i),
            };
            if (value is null && (column.NotNull || !record.IsNull(i)))
            {
                return null;
            }

            values[i] = value ?? DBNull.Value;
        }

        return values;
    }
}

/// <summary>One column of a <see cref="TableLayout"/>.</summary>
internal sealed record TableColumn(string Name, string Type, bool NotNull, bool IsRowId, bool IsKey);
