using System.Buffers.Binary;

namespace Quickq.Spool.Repair;

/// <summary>The committed frames of a write-ahead log, by SQLite's own rules: as far as salts and checksums are right, up to the last commit.</summary>
internal sealed class LogFrames(FileStream log, int pageSize)
{
    private const uint Magic = 0x377f0682;
    private const int HeaderBytes = 32, FrameHeaderBytes = 24;

    /// <summary>Pages of the database after the last commit; 0 when there is none. Known after <see cref="Committed"/>.</summary>
    public uint PagesAtLastCommit { get; private set; }

    /// <summary>Page and place of its content in the log, in the order in which they were written.</summary>
    public IReadOnlyList<(uint Page, long Offset)> Committed()
    {
        var frames = new List<(uint, long)>();
        int committed = 0;
        byte[] header = new byte[HeaderBytes];
        if (RandomAccess.Read(log.SafeFileHandle, header, 0) < HeaderBytes || (Number(header, 0) & ~1u) != Magic || Number(header, 8) != pageSize)
        {
            return [];
        }

        bool bigEndian = (Number(header, 0) & 1) != 0;
        (uint First, uint Second) sum = Add((0, 0), header.AsSpan(0, 24), bigEndian);
        if (sum != (Number(header, 24), Number(header, 28)))
        {
            return [];
        }

        byte[] frame = new byte[FrameHeaderBytes + pageSize];
        for (long offset = HeaderBytes; RandomAccess.Read(log.SafeFileHandle, frame, offset) == frame.Length; offset += frame.Length)
        {
            sum = Add(Add(sum, frame.AsSpan(0, 8), bigEndian), frame.AsSpan(FrameHeaderBytes), bigEndian);
            if (!frame.AsSpan(8, 8).SequenceEqual(header.AsSpan(16, 8)) || sum != (Number(frame, 16), Number(frame, 20)))
            {
                break;
            }

            frames.Add((Number(frame, 0), offset + FrameHeaderBytes));
            if (Number(frame, 4) is var pages && pages != 0)
            {
                PagesAtLastCommit = pages;
                committed = frames.Count;
            }
        }

        return frames[..committed];
    }

    private static uint Number(byte[] bytes, int at) => BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(at));

    private static (uint First, uint Second) Add((uint First, uint Second) sum, ReadOnlySpan<byte> bytes, bool bigEndian)
    {
        for (int i = 0; i + 8 <= bytes.Length; i += 8)
        {
            uint first = bigEndian ? BinaryPrimitives.ReadUInt32BigEndian(bytes[i..]) : BinaryPrimitives.ReadUInt32LittleEndian(bytes[i..]);
            uint second = bigEndian ? BinaryPrimitives.ReadUInt32BigEndian(bytes[(i + 4)..]) : BinaryPrimitives.ReadUInt32LittleEndian(bytes[(i + 4)..]);
            sum.First = unchecked(sum.First + first + sum.Second);
            sum.Second = unchecked(sum.Second + second + sum.First);
        }

        return sum;
    }
}
