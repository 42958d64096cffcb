using Microsoft.Data.Sqlite;

namespace Quickq.Spool.Repair;

/// <summary>Copies what can be read of one table from a damaged spool into a fresh one.</summary>
internal sealed class TableRescue : IDisposable
{
    private readonly DatabaseImage _image;
    private readonly TableLayout _layout;
    private readonly BtreeWalk _walk;
    private readonly SqliteConnection _fresh;
    private readonly string _sql;
    private readonly string[] _parameters;
    private readonly SqliteCommand _insert;
    private readonly List<(object[]? After, object[]? Before)> _gaps = [];
    private readonly List<object[]> _edges = [];

    /// <param name="image">The damaged spool.</param>
    /// <param name="fresh">The fresh one, without triggers.</param>
    /// <param name="layout">The table.</param>
    /// <param name="replace">Whether a row of the damaged spool takes the place of one that is there.</param>
    public TableRescue(DatabaseImage image, SqliteConnection fresh, TableLayout layout, bool replace = false)
    {
        _image = image;
        _layout = layout;
        _walk = new BtreeWalk(image);
        _fresh = fresh;
        _parameters = [.. layout.Columns.Select((_, index) => $"$v{index}")];
        _sql = $"INSERT OR {(replace ? "REPLACE" : "IGNORE")} INTO {layout.Name} ({string.Join(", ", layout.Columns.Select(column => column.Name))}) VALUES ";
        _insert = fresh.Prepare($"{_sql}({string.Join(", ", _parameters)})", _parameters);
    }

    /// <summary>A condition that a row must also meet to be one of this table; it may correct the values of the row.</summary>
    public Func<object[], bool> Accepts { get; init; } = static _ => true;

    /// <summary>Told of each row that does not stand in the order of the keys, and so was left out: its key, or what led to it, is not what it was.</summary>
    public Action<object[]> OnMisplaced { get; init; } = static _ => { };

    /// <summary>Whether some of the table could not be read.</summary>
    public bool HasGaps => _walk.HasGaps;

    /// <summary>Rows copied.</summary>
    public long Rows { get; private set; }

    /// <summary>Where rows may be missing: between these two rows, both exclusive; null is the end of the table.</summary>
    public IReadOnlyList<(object[]? After, object[]? Before)> Gaps => _gaps;

    /// <summary>The first and the last row of each page that nothing led to: in a table without row ids what led there was a row itself, beside one of these.</summary>
    public IReadOnlyList<object[]> Edges => _edges;

    /// <summary>Copies the rows, those included that only a damaged page led to.</summary>
    public void Run()
    {
        // A row waits until the next one shows that its key is in order: a changed key would take another row's place.
        object[]? last = null, waiting = null;
        bool inGap = false;
        foreach ((long RowId, StoredRecord Record)? found in _walk.Rows(_layout.Root, _layout.IsIndex))
        {
            object[]? values = found is { } row ? _layout.Fit(row.RowId, row.Record) : null;
            if (values is null || !Accepts(values))
            {
                _walk.NoteStray();
                inGap = true;
                continue;
            }

            bool misplaced = waiting is not null && !_layout.IsBefore(waiting, values);
            if (misplaced)
            {
                _walk.NoteStray();
                inGap = true;
                if (last is not null && !_layout.IsBefore(last, values))
                {
                    OnMisplaced(values);
                    continue; // this one is out of order, not the one that waits
                }

                OnMisplaced(waiting!);
            }
            else if (waiting is not null)
            {
                Insert(waiting);
                last = waiting;
            }

            if (inGap)
            {
                _gaps.Add((last, values));
                inGap = false;
            }

            waiting = values;
        }

        if (waiting is not null)
        {
            Insert(waiting);
            last = waiting;
        }

        if (inGap)
        {
            _gaps.Add((last, null));
        }

        if (HasGaps)
        {
            InsertOrphans(static _ => true, Insert);
        }
    }

    /// <summary>
    /// Copies what nothing in the table leads to, where nobody else has its key. For a table that could be read and lacks rows all the same: a page of it is older than the others.
    /// </summary>
    public void InsertOrphans(Func<object[], bool> isKnown) => InsertOrphans(isKnown, row => Store(row));

    private void InsertOrphans(Func<object[], bool> isKnown, Action<object[]> insert)
    {
        foreach (IReadOnlyList<(long RowId, StoredRecord Record)> page in _walk.Orphans(_layout.IsIndex))
        {
            List<object[]> rows = [.. page.Select(row => FitExactly(row.RowId, row.Record)).OfType<object[]>().Where(isKnown)];
            rows.ForEach(insert);
            if (rows.Count > 0)
            {
                _edges.AddRange([rows[0], rows[^1]]);
            }
        }
    }

    /// <summary>Copies rows from where they were before the last change of a page; only for a table whose rows do not change.</summary>
    public void InsertEarlier(Func<object[], bool> isKnown)
    {
        foreach ((long rowId, StoredRecord record) in _walk.Earlier())
        {
            if (FitExactly(rowId, record) is { } values && isKnown(values))
            {
                Store(values);
            }
        }
    }

    /// <summary>Copies of what was left out what <paramref name="isKnown"/> vouches for, where nobody else has its key. It may correct the values of the row.</summary>
    public void InsertLeftOut(Func<object[], bool> isKnown)
    {
        foreach ((long RowId, StoredRecord Record)? found in new BtreeWalk(_image).Rows(_layout.Root, _layout.IsIndex))
        {
            if (found is { } row && _layout.Fit(row.RowId, row.Record) is { } values && isKnown(values))
            {
                Store(values);
            }
        }
    }

    public void Dispose() => _insert.Dispose();

    private object[]? FitExactly(long rowId, StoredRecord record) =>
        _layout.Fit(rowId, record, exact: true) is { } values && Accepts(values) ? values : null;

    private void Insert(object[] values)
    {
        if (!Store(values))
        {
            // It breaks a rule of its table (an id that another row has, a value out of range): a bit of it is not what it was.
            _walk.NoteStray();
        }
    }

    private bool Store(object[] values)
    {
        bool isPlain = !values.Any(value => value is RawText);
        SqliteCommand insert = isPlain ? _insert : PrepareFor(values);
        for (int i = 0; i < values.Length; i++)
        {
            insert.Parameters[i].Value = values[i] is RawText text ? text.Bytes : values[i];
        }

        int stored = insert.ExecuteNonQuery();
        Rows += stored;
        if (!isPlain)
        {
            insert.Dispose();
        }

        return stored > 0;
    }

    /// <summary>Text that a string cannot hold is given as bytes.</summary>
    private SqliteCommand PrepareFor(object[] values)
    {
        IEnumerable<string> places = values.Select((value, index) => value is RawText ? $"CAST({_parameters[index]} AS TEXT)" : _parameters[index]);
        return _fresh.Prepare($"{_sql}({string.Join(", ", places)})", _parameters);
    }
}
