using System.Buffers;
using System.Buffers.Binary;
using Quickq.Spool.Files;

namespace Quickq.Spool.Storage;

/// <summary>The frames of a write-ahead log (WAL) that hold committed pages, and whether the WAL lost some that were committed.</summary>
/// <remarks>
/// SQLite reads a WAL up to the first frame whose salts or checksum are wrong, and takes what is behind it for the rest of a transaction that a crash interrupted. A transaction is
/// synced before the next one begins, so at most one is incomplete: two or more commits behind a bad frame were acknowledged, and the WAL is damaged. Each frame carries the
/// checksum of all frames up to itself, so the frames behind a bad one can still be verified, each from the one before it.
/// Layout: sqlite.org/fileformat2.html, section 4.
/// </remarks>
internal sealed class WalFrames
{
    private const uint Magic = 0x377f0682;
    private const int HeaderBytes = 32, FrameHeaderBytes = 24, FramesAtOnce = 16, UsualPageSize = 4096;

    /// <summary>How often the WAL is looked at again when it seems damaged: a program may be writing it.</summary>
    private const int MostLooks = 5;

    private readonly FileStream _wal;
    private readonly byte[] _header = new byte[HeaderBytes];
    private readonly List<(uint Page, long Offset, bool Commits)> _frames = [];
    private uint _pagesAtVisibleCommit, _pagesAtLastCommit;
    private int _visible, _framesBehindLastCommit;
    private bool _headerIsGood, _bigEndian;

    private WalFrames(FileStream wal) => _wal = wal;

    /// <summary>Bytes of a page, as the header says.</summary>
    public int PageSize { get; private set; }

    /// <summary>The first frame that is not what it was, counted from 1, while others are behind it; 0 is the WAL's header; null when there is none.</summary>
    public int? FirstBadFrame { get; private set; }

    /// <summary>Whole commits behind <see cref="FirstBadFrame"/>, which SQLite does not see.</summary>
    public int HiddenCommits { get; private set; }

    /// <summary>Whether commits that were acknowledged are out of SQLite's reach.</summary>
    public bool IsDamaged => HiddenCommits >= (FirstBadFrame is 0 ? 1 : 2);

    /// <summary>Whether the WAL is damaged and frames are behind the last commit that could be read: it may not have been the last.</summary>
    public bool EndsInDoubt => IsDamaged && _framesBehindLastCommit > 0;

    /// <summary>Pages of the database after the last commit; 0 when there is none.</summary>
    public uint PagesAtLastCommit => IsDamaged ? _pagesAtLastCommit : _pagesAtVisibleCommit;

    /// <summary>
    /// Pages and where their content is in the WAL, in the order in which they were written, up to the last commit: all that SQLite sees, and of a damaged WAL every frame that
    /// is what it was.
    /// </summary>
    public IEnumerable<(uint Page, long Offset)> Committed()
    {
        int end = IsDamaged ? _frames.FindLastIndex(frame => frame.Commits) + 1 : _visible;
        return _frames.Take(end).Select(frame => (frame.Page, frame.Offset));
    }

    /// <summary>Reads a WAL that nobody writes meanwhile.</summary>
    /// <param name="wal">The file.</param>
    /// <param name="pageSize">Bytes of a page of the database; null where only the WAL itself tells.</param>
    public static WalFrames Read(FileStream wal, int? pageSize)
    {
        var frames = new WalFrames(wal);
        frames.ReadHeader(pageSize);
        frames.ReadFrames();
        return frames;
    }

    /// <summary>What is wrong with the WAL at this path, in words; null when nothing is, or there is none. Others may be writing it.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static string? FindDamage(string path)
    {
        if (FileIdentity.SizeOf(path) <= HeaderBytes)
        {
            return null;
        }

        FileStream wal;
        try
        {
            // SQLite holds no locks on the WAL: it may be closed.
            wal = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 1);
        }
        catch (FileNotFoundException)
        {
            return null; // gone since
        }

        using (wal)
        {
            WalFrames seen = Read(wal, pageSize: null);
            for (int look = 1; seen.IsDamaged && look < MostLooks; look++)
            {
                // A frame that was being written is whole by now, and a WAL that was begun again has other salts.
                WalFrames before = seen;
                seen = Read(wal, pageSize: null);
                if (seen.IsDamaged && seen.FirstBadFrame == before.FirstBadFrame && seen._header.AsSpan().SequenceEqual(before._header))
                {
                    return $"the WAL is damaged at {(seen.FirstBadFrame is 0 ? "its header" : $"frame {seen.FirstBadFrame}")}: SQLite does not see {seen.HiddenCommits} committed transactions behind it";
                }
            }

            return null;
        }
    }

    private void ReadHeader(int? pageSize)
    {
        if (RandomAccess.Read(_wal.SafeFileHandle, _header, 0) < HeaderBytes)
        {
            return;
        }

        uint magic = Number(_header, 0), written = Number(_header, 8);
        bool isSize = written is >= 512 and <= 65536 && uint.IsPow2(written);
        PageSize = pageSize ?? (isSize ? (int)written : UsualPageSize);
        _bigEndian = (magic & ~1u) == Magic ? (magic & 1) != 0 : !BitConverter.IsLittleEndian;
        _headerIsGood = (magic & ~1u) == Magic && written == PageSize && ComputedHeaderSum() == StoredHeaderSum();
        if (!_headerIsGood)
        {
            _bigEndian = !BitConverter.IsLittleEndian;
        }
    }

    private (uint First, uint Second) StoredHeaderSum() => (Number(_header, 24), Number(_header, 28));

    private (uint First, uint Second) ComputedHeaderSum() => Add((0, 0), _header.AsSpan(0, 24));

    private void ReadFrames()
    {
        if (PageSize == 0)
        {
            return;
        }

        int frameBytes = FrameHeaderBytes + PageSize, number = 0;
        byte[] block = ArrayPool<byte>.Shared.Rent(FramesAtOnce * frameBytes), salts = _header[16..24];
        (uint, uint) stored = StoredHeaderSum(), computed = ComputedHeaderSum();
        bool wasGood = true;
        int blockBytes = FramesAtOnce * frameBytes;
        for (long offset = HeaderBytes; RandomAccess.Read(_wal.SafeFileHandle, block.AsSpan(0, blockBytes), offset) / frameBytes is var count and > 0; offset += blockBytes)
        {
            for (int i = 0; i < count; i++)
            {
                ReadOnlySpan<byte> frame = block.AsSpan(i * frameBytes, frameBytes);
                number++;
                _framesBehindLastCommit++;
                if (number == 1 && !_headerIsGood)
                {
                    FirstBadFrame = 0;
                    salts = frame.Slice(8, 8).ToArray();
                }

                bool isOfThisTime = frame.Slice(8, 8).SequenceEqual(salts);
                if (!isOfThisTime)
                {
                    FirstBadFrame ??= number;
                    if (!wasGood)
                    {
                        _framesBehindLastCommit--;
                        // SQLite ended before this one; what an earlier time left behind costs next to nothing.
                        (stored, computed) = (Sum(frame), Sum(frame));
                        continue;
                    }
                }

                // The frame before may be bad in its content or in its checksum: one of the two leads on. Only a frame of this time follows from the one before.
                (uint, uint) fromStored = Add(Add(stored, frame[..8]), frame[FrameHeaderBytes..]);
                (uint, uint) fromComputed = stored == computed ? fromStored : Add(Add(computed, frame[..8]), frame[FrameHeaderBytes..]);
                wasGood = fromStored == Sum(frame) || fromComputed == Sum(frame);
                if (wasGood)
                {
                    Note(frame, offset + (i * frameBytes) + FrameHeaderBytes);
                }
                else
                {
                    FirstBadFrame ??= number;
                }

                (stored, computed) = (Sum(frame), wasGood ? Sum(frame) : fromStored);
            }

            if (count < FramesAtOnce)
            {
                break;
            }
        }

        ArrayPool<byte>.Shared.Return(block);
        if (HiddenCommits == 0)
        {
            FirstBadFrame = null;
        }
    }

    private void Note(ReadOnlySpan<byte> frame, long content)
    {
        uint pages = BinaryPrimitives.ReadUInt32BigEndian(frame[4..]);
        _frames.Add((BinaryPrimitives.ReadUInt32BigEndian(frame), content, pages != 0));
        if (pages == 0)
        {
            return;
        }

        (_pagesAtLastCommit, _framesBehindLastCommit) = (pages, 0);
        if (FirstBadFrame is null)
        {
            (_visible, _pagesAtVisibleCommit) = (_frames.Count, pages);
        }
        else
        {
            HiddenCommits++;
        }
    }

    private static (uint First, uint Second) Sum(ReadOnlySpan<byte> frame) =>
        (BinaryPrimitives.ReadUInt32BigEndian(frame[16..]), BinaryPrimitives.ReadUInt32BigEndian(frame[20..]));

    private static uint Number(byte[] bytes, int at) => BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(at));

    private (uint First, uint Second) Add((uint First, uint Second) sum, ReadOnlySpan<byte> bytes)
    {
        for (int i = 0; i + 8 <= bytes.Length; i += 8)
        {
            uint first = _bigEndian ? BinaryPrimitives.ReadUInt32BigEndian(bytes[i..]) : BinaryPrimitives.ReadUInt32LittleEndian(bytes[i..]);
            uint second = _bigEndian ? BinaryPrimitives.ReadUInt32BigEndian(bytes[(i + 4)..]) : BinaryPrimitives.ReadUInt32LittleEndian(bytes[(i + 4)..]);
            sum.First = unchecked(sum.First + first + sum.Second);
            sum.Second = unchecked(sum.Second + second + sum.First);
        }

        return sum;
    }
}
