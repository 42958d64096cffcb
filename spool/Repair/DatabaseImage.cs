using System.Buffers.Binary;
using Quickq.Spool.Schema;
using Quickq.Spool.Storage;

namespace Quickq.Spool.Repair;

/// <summary>The pages of a SQLite database as its last commit left them, read without SQLite: the main file, and over it the committed frames of the WAL; of a damaged WAL all frames that are what they were.</summary>
/// <remarks>
/// For a file that SQLite cannot read any more. Nothing that it holds is trusted: whatever lies outside the file is "not there". The caller sees to it that nobody writes.
/// Layout: sqlite.org/fileformat2.html.
/// </remarks>
internal sealed class DatabaseImage : IDisposable
{
    private const int UsualPageSize = 4096;
    private const int ApplicationIdOffset = 68, UserVersionOffset = 60;
    private const byte FreePage = 2;

    private readonly FileStream _main;
    private readonly FileStream? _log;
    private readonly Dictionary<uint, long> _framesByPage = [];
    private readonly List<(uint Page, long Frame)> _earlierFrames = [];

    private DatabaseImage(FileStream main, FileStream? log)
    {
        _main = main;
        _log = log;
    }

    /// <summary>Bytes of a page.</summary>
    public int PageSize { get; private set; } = UsualPageSize;

    /// <summary>The number of the last page.</summary>
    public uint PageCount { get; private set; }

    /// <summary>No row is longer than the database, nor than SQLite lets one be: a length that says more is none.</summary>
    public long LargestPayload => Math.Min(1 << 30, (long)PageCount * PageSize);

    /// <summary>Whether the WAL may have held commits behind the last one that could be read: then nothing counts what was in them.</summary>
    public bool EndsInDoubt { get; private set; }

    /// <summary>True when the header says that the file is a spool, whatever else is wrong with it.</summary>
    public bool IsSpool { get; private set; }

    /// <summary>The format that the header says it has.</summary>
    public int Format { get; private set; }

    /// <summary>Opens the database file at <paramref name="path"/> with its log, if there is one.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static DatabaseImage Open(string path, string logPath)
    {
        FileStream main = LiveFile.Read(path);

        // SQLite holds no locks on the log: it may be closed.
        var image = new DatabaseImage(main, File.Exists(logPath) ? new FileStream(logPath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 1) : null);
        try
        {
            image.ReadHeader();
            return image;
        }
        catch
        {
            image.Dispose();
            throw;
        }
    }

    /// <summary>Reads a page; false when it is not there.</summary>
    public bool TryRead(uint page, Span<byte> into)
    {
        if (page == 0 || page > PageCount)
        {
            return false;
        }

        return _framesByPage.TryGetValue(page, out long frame) ? TryRead(_log!, frame, into) : TryRead(_main, (page - 1L) * PageSize, into);
    }

    /// <summary>What the WAL and the main file have of pages from before their last change, the newest first.</summary>
    public IEnumerable<(uint Page, byte[] Content)> EarlierPages()
    {
        byte[] content = new byte[PageSize];
        foreach ((uint page, long frame) in _earlierFrames.AsEnumerable().Reverse())
        {
            if (TryRead(_log!, frame, content))
            {
                yield return (page, content);
            }
        }

        foreach (uint page in _framesByPage.Keys)
        {
            if (TryRead(_main, (page - 1L) * PageSize, content))
            {
                yield return (page, content);
            }
        }
    }

    /// <summary>What the pointer map says about a page: its kind (2 is free, 3 and 4 overflow, 5 a page of a tree) and the page that points to it; 0 when it says nothing.</summary>
    public (byte Kind, uint Parent) ReadPointer(uint page)
    {
        // A map page describes the pages behind it, five bytes each; the first one is page 2.
        uint perMap = (uint)(PageSize / 5);
        uint map = ((page - 2) / (perMap + 1) * (perMap + 1)) + 2;
        if (page <= 2 || page == map)
        {
            return default;
        }

        Span<byte> content = stackalloc byte[PageSize];
        if (!TryRead(map, content))
        {
            return default;
        }

        Span<byte> entry = content[(int)((page - map - 1) * 5)..];
        return (entry[0], BinaryPrimitives.ReadUInt32BigEndian(entry[1..]));
    }

    /// <summary>Whether the pointer map calls a page free: what it holds was deleted.</summary>
    public bool IsFree(uint page) => ReadPointer(page).Kind == FreePage;

    public void Dispose() => _log?.Dispose();

    private static bool TryRead(FileStream file, long offset, Span<byte> into)
    {
        try
        {
            int count = RandomAccess.Read(file.SafeFileHandle, into, offset);
            into[count..].Clear(); // the last page of a file that was cut off: SQLite takes what is missing for zeros, too
            return count > 0;
        }
        catch (IOException)
        {
            return false; // a sector of the disk that cannot be read is one more damaged page
        }
    }

    private void ReadHeader()
    {
        Span<byte> header = stackalloc byte[100];
        if (!TryRead(_main, 0, header))
        {
            return;
        }

        int size = BinaryPrimitives.ReadUInt16BigEndian(header[16..]) is var written && written == 1 ? 65536 : written;
        PageSize = size >= 512 && int.IsPow2(size) ? size : UsualPageSize;
        PageCount = (uint)Math.Min(uint.MaxValue, (RandomAccess.GetLength(_main.SafeFileHandle) + PageSize - 1) / PageSize);
        if (_log is not null)
        {
            ReadLog();
            Span<byte> first = stackalloc byte[PageSize];
            if (TryRead(1, first))
            {
                first[..100].CopyTo(header);
            }
        }

        IsSpool = BinaryPrimitives.ReadInt32BigEndian(header[ApplicationIdOffset..]) == SpoolSchema.ApplicationId;
        Format = BinaryPrimitives.ReadInt32BigEndian(header[UserVersionOffset..]);
    }

    private void ReadLog()
    {
        WalFrames wal = WalFrames.Read(_log!, PageSize);
        foreach ((uint page, long offset) in wal.Committed())
        {
            if (_framesByPage.TryGetValue(page, out long earlier))
            {
                _earlierFrames.Add((page, earlier));
            }

            _framesByPage[page] = offset;
        }

        EndsInDoubt = wal.EndsInDoubt;
        PageCount = Math.Max(PageCount, wal.PagesAtLastCommit);
    }
}
