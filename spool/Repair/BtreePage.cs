using System.Buffers.Binary;

namespace Quickq.Spool.Repair;

/// <summary>One page of a tree, taken apart without trust: the cells, each with its key, its children, or why it cannot be read.</summary>
internal sealed class BtreePage
{
    private const byte InteriorIndex = 2, InteriorTable = 5, LeafIndex = 10, LeafTable = 13;
    private const byte FirstOverflow = 3, LaterOverflow = 4;

    private readonly DatabaseImage _image;
    private readonly byte[] _bytes;
    private readonly int _start;
    private bool _damaged;

    private BtreePage(DatabaseImage image, uint number, byte[] bytes)
    {
        _image = image;
        Number = number;
        _bytes = bytes;
        _start = number == 1 ? 100 : 0;
    }

    public uint Number { get; }

    public bool IsLeaf => _bytes[_start] is LeafIndex or LeafTable;

    public bool IsIndex => _bytes[_start] is LeafIndex or InteriorIndex;

    public int CellCount => BinaryPrimitives.ReadUInt16BigEndian(_bytes.AsSpan(_start + 3));

    /// <summary>The page behind the last cell of an interior page.</summary>
    public uint LastChild => BinaryPrimitives.ReadUInt32BigEndian(_bytes.AsSpan(_start + 8));

    /// <summary>The page, or null when it is not there or is no page of a tree. A leaf that has lost its mark is read as the kind of leaf that is expected here.</summary>
    public static BtreePage? Read(DatabaseImage image, uint number, bool index)
    {
        byte[] bytes = new byte[image.PageSize];
        return image.TryRead(number, bytes) ? Parse(image, number, bytes, index) : null;
    }

    /// <summary>The same, of content that the page had once.</summary>
    public static BtreePage? Parse(DatabaseImage image, uint number, byte[] bytes, bool index)
    {
        var page = new BtreePage(image, number, bytes);
        if (bytes[page._start] is not (InteriorIndex or InteriorTable or LeafIndex or LeafTable))
        {
            bytes[page._start] = index ? LeafIndex : LeafTable;
            page._damaged = true;
        }

        return page.PointerArray + (2 * page.CellCount) <= bytes.Length ? page : null;
    }

    /// <summary>Whether cells, free space and their sizes add up to the page. If not, cells may be missing that nothing else tells of.</summary>
    public bool AddsUp()
    {
        int free = 0, steps = 0;
        for (int at = ReadShort(1); at != 0; at = ReadShort(at - _start))
        {
            if (at + 4 > _bytes.Length || ++steps > _bytes.Length / 4)
            {
                return false;
            }

            free += ReadShort(at + 2 - _start);
        }

        int cells = Enumerable.Range(0, CellCount).Sum(cell => Layout(cell)?.TotalBytes ?? 0);
        int content = ReadShort(5) is var begin && begin == 0 ? 65536 : begin;
        return !_damaged && content + cells + free + _bytes[_start + 7] == _bytes.Length;
    }

    /// <summary>The page below one cell of an interior page; 0 when it cannot be told.</summary>
    public uint Child(int cell) => CellAt(cell) is { } at && at + 4 <= _bytes.Length ? BinaryPrimitives.ReadUInt32BigEndian(_bytes.AsSpan(at)) : 0;

    /// <summary>One cell with a row; null when it cannot be read whole.</summary>
    public (long RowId, StoredRecord Record)? Row(int cell)
    {
        if (Layout(cell) is not { } layout)
        {
            return null;
        }

        byte[] payload = new byte[layout.PayloadBytes];
        _bytes.AsSpan(layout.Offset, layout.LocalBytes).CopyTo(payload);
        return TryReadOverflow(layout, payload) && StoredRecord.Parse(payload) is { } record ? (layout.RowId, record) : null;
    }

    private int PointerArray => _start + (IsLeaf ? 8 : 12);

    private int ReadShort(int offset) => BinaryPrimitives.ReadUInt16BigEndian(_bytes.AsSpan(_start + offset));

    private int? CellAt(int cell)
    {
        int at = BinaryPrimitives.ReadUInt16BigEndian(_bytes.AsSpan(PointerArray + (2 * cell)));
        return at >= PointerArray + (2 * CellCount) && at < _bytes.Length - 2 ? at : null;
    }

    private CellLayout? Layout(int cell)
    {
        if (CellAt(cell) is not { } begin)
        {
            return null;
        }

        if (!IsLeaf && !IsIndex)
        {
            // An interior page of a table: a child and the largest key below it, no row.
            int behind = begin + 4;
            return StoredRecord.TryReadVarint(_bytes, ref behind, out long key) ? new CellLayout(key, 0, behind, 0, Math.Max(4, behind - begin)) : null;
        }

        int at = IsLeaf ? begin : begin + 4;
        long rowId = 0;
        if (!StoredRecord.TryReadVarint(_bytes, ref at, out long size) || size < 1 || size > _image.LargestPayload || (!IsIndex && !StoredRecord.TryReadVarint(_bytes, ref at, out rowId)))
        {
            return null;
        }

        int usable = _bytes.Length;
        int most = IsIndex ? ((usable - 12) * 64 / 255) - 23 : usable - 35;
        int least = ((usable - 12) * 32 / 255) - 23;
        int fitting = least + (int)((size - least) % (usable - 4));
        int local = size <= most ? (int)size : fitting <= most ? fitting : least;
        int end = at + local + (size > local ? 4 : 0);
        return end > usable ? null : new CellLayout(rowId, (int)size, at, local, Math.Max(4, end - begin));
    }

    private uint OverflowOf(CellLayout layout) =>
        layout.PayloadBytes > layout.LocalBytes ? BinaryPrimitives.ReadUInt32BigEndian(_bytes.AsSpan(layout.Offset + layout.LocalBytes)) : 0;

    private bool TryReadOverflow(CellLayout layout, byte[] payload)
    {
        int filled = layout.LocalBytes;
        uint next = OverflowOf(layout), previous = Number;
        byte kind = FirstOverflow;
        byte[] bytes = new byte[_image.PageSize];
        while (filled < payload.Length)
        {
            if (!IsOurs(next, kind, previous) || !_image.TryRead(next, bytes))
            {
                return false;
            }

            int count = Math.Min(bytes.Length - 4, payload.Length - filled);
            bytes.AsSpan(4, count).CopyTo(payload.AsSpan(filled));
            filled += count;
            (previous, kind) = (next, LaterOverflow);
            next = BinaryPrimitives.ReadUInt32BigEndian(bytes);
        }

        return next == 0 || payload.Length == layout.LocalBytes;
    }

    /// <summary>
    /// A pointer with a flipped bit leads into another message: the pointer map must agree. Where it does not, it may be the map that is damaged: then
    /// the page that the map names does not point here.
    /// </summary>
    private bool IsOurs(uint page, byte kind, uint parent)
    {
        (byte mapped, uint owner) = _image.ReadPointer(page);
        if (mapped == kind && owner == parent)
        {
            return true;
        }

        byte[] bytes = new byte[_image.PageSize];
        return mapped switch
        {
            FirstOverflow => Read(_image, owner, IsIndex) is not { } other || !other.PointsTo(page),
            LaterOverflow => !_image.TryRead(owner, bytes) || BinaryPrimitives.ReadUInt32BigEndian(bytes) != page,
            1 or 2 or 5 => false, // a root, free, or a page of a tree
            _ => true,
        };
    }

    private bool PointsTo(uint page) => Enumerable.Range(0, CellCount).Any(cell => Layout(cell) is { } layout && OverflowOf(layout) == page);

    private readonly record struct CellLayout(long RowId, int PayloadBytes, int Offset, int LocalBytes, int TotalBytes);
}
