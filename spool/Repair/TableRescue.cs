using Microsoft.Data.Sqlite;

namespace Quickq.Spool.Repair;

/// <summary>Copies what can be read of one table from a damaged spool into a fresh one.</summary>
internal sealed class TableRescue : IDisposable
{
    private readonly DatabaseImage _image;
    private readonly TableLayout _layout;
    private readonly BtreeWalk _walk;
    private readonly SqliteCommand _insert;
    private readonly List<(object[]? After, object[]? Before)> _gaps = [];

    /// <param name="image">The damaged spool.</param>
    /// <param name="fresh">The fresh one, without triggers.</param>
    /// <param name="layout">The table.</param>
    /// <param name="replace">Whether a row of the damaged spool takes the place of one that is there.</param>
    public TableRescue(DatabaseImage image, SqliteConnection fresh, TableLayout layout, bool replace = false)
    {
        _image = image;
        _layout = layout;
        _walk = new BtreeWalk(image);
        string[] parameters = [.. layout.Columns.Select((_, index) => $"$v{index}")];
        _insert = fresh.Prepare(
            $"INSERT OR {(replace ? "REPLACE" : "IGNORE")} INTO {layout.Name} ({string.Join(", ", layout.Columns.Select(column => column.Name))}) VALUES ({string.Join(", ", parameters)})",
            parameters);
    }

    /// <summary>A condition that a row must also meet to be one of this table.</summary>
    public Func<object[], bool> Accepts { get; init; } = static _ => true;

    /// <summary>Told of each row that does not stand in the order of the keys, and so was left out: its key, or what led to it, is not what it was.</summary>
    public Action<object[]> OnMisplaced { get; init; } = static _ => { };

    /// <summary>Whether some of the table could not be read.</summary>
    public bool HasGaps => _walk.HasGaps;

    /// <summary>Rows copied.</summary>
    public long Rows { get; private set; }

    /// <summary>Where rows may be missing: between these two rows, both exclusive; null is the end of the table.</summary>
    public IReadOnlyList<(object[]? After, object[]? Before)> Gaps => _gaps;

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
            foreach ((long rowId, StoredRecord record) in _walk.Orphans(_layout.IsIndex))
            {
                if (_layout.Fit(rowId, record) is { } values && Accepts(values))
                {
                    Insert(values);
                }
            }
        }
    }

    /// <summary>Copies of what was left out as misplaced what <paramref name="isKnown"/> vouches for, where nobody else has its key.</summary>
    public void InsertMisplaced(Func<object[], bool> isKnown)
    {
        foreach ((long RowId, StoredRecord Record)? found in new BtreeWalk(_image).Rows(_layout.Root, _layout.IsIndex))
        {
            if (found is { } row && _layout.Fit(row.RowId, row.Record) is { } values && Accepts(values) && isKnown(values))
            {
                Store(values);
            }
        }
    }

    public void Dispose() => _insert.Dispose();

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
        for (int i = 0; i < values.Length; i++)
        {
            _insert.Parameters[i].Value = values[i];
        }

        int stored = _insert.ExecuteNonQuery();
        Rows += stored;
        return stored > 0;
    }
}
