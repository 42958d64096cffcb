namespace Quickq.Spool.Repair;

/// <summary>Visits the rows of one table in the order of their keys, as far as pages can be read, and says where it could not.</summary>
/// <remarks>Afterwards <see cref="Orphans"/> finds rows on pages that the tree no longer leads to. Pages that were freed are never looked at: they hold what was removed.</remarks>
internal sealed class BtreeWalk(DatabaseImage image)
{
    private const int Deepest = 20;
    private readonly HashSet<uint> _seen = [];

    /// <summary>Whether anything could not be read.</summary>
    public bool HasGaps { get; private set; }

    /// <summary>Rows that are there and cannot be read whole.</summary>
    public int UnreadableRows { get; private set; }

    /// <summary>Notes that a row was none of this table's: a pointer led astray.</summary>
    public void NoteStray() => HasGaps = true;

    /// <summary>The rows below <paramref name="root"/>; null stands for a place where something is missing.</summary>
    public IEnumerable<(long RowId, StoredRecord Record)?> Rows(uint root, bool index) => Visit(root, index, Deepest);

    /// <summary>
    /// Rows on pages of the same kind that no page leads to any more, page by page. The caller tells by their columns whether they are of its table.
    /// </summary>
    public IEnumerable<IReadOnlyList<(long RowId, StoredRecord Record)>> Orphans(bool index)
    {
        for (uint number = 3; number <= image.PageCount; number++)
        {
            if (_seen.Contains(number) || image.ReadPointer(number).Kind != 5 || BtreePage.Read(image, number, index) is not { } page || page.IsIndex != index || (!index && !page.IsLeaf))
            {
                continue;
            }

            yield return ReadableRows(page);
        }
    }

    /// <summary>
    /// Rows on leaves of tables as they once were: what a WAL has of a page before its last change. A row that moved to a page which cannot be read is found where it was.
    /// </summary>
    public IEnumerable<(long RowId, StoredRecord Record)> Earlier()
    {
        foreach ((uint number, byte[] content) in image.EarlierPages())
        {
            if (BtreePage.Parse(image, number, content, index: false) is { IsLeaf: true, IsIndex: false } page && page.AddsUp())
            {
                foreach ((long RowId, StoredRecord Record) row in ReadableRows(page))
                {
                    yield return row;
                }
            }
        }
    }

    private static List<(long RowId, StoredRecord Record)> ReadableRows(BtreePage page) =>
        [.. Enumerable.Range(0, page.CellCount).Select(page.Row).Where(row => row is not null).Select(row => row!.Value)];

    private IEnumerable<(long RowId, StoredRecord Record)?> Visit(uint number, bool index, int depth)
    {
        if (depth == 0 || !_seen.Add(number) || image.IsFree(number) || BtreePage.Read(image, number, index) is not { } page || page.IsIndex != index)
        {
            HasGaps = true;
            yield return null;
            yield break;
        }

        bool doubtful = !page.AddsUp();
        HasGaps |= doubtful;
        for (int cell = 0; cell < page.CellCount; cell++)
        {
            if (doubtful)
            {
                yield return null;
            }

            if (!page.IsLeaf)
            {
                foreach ((long RowId, StoredRecord Record)? row in Visit(page.Child(cell), index, depth - 1))
                {
                    yield return row;
                }
            }

            if (page.IsLeaf || index)
            {
                (long RowId, StoredRecord Record)? row = page.Row(cell);
                if (row is null)
                {
                    UnreadableRows++;
                    HasGaps = true;
                }

                yield return row;
            }
        }

        if (doubtful)
        {
            yield return null;
        }

        if (!page.IsLeaf)
        {
            foreach ((long RowId, StoredRecord Record)? row in Visit(page.LastChild, index, depth - 1))
            {
                yield return row;
            }
        }
    }
}
