using System.Buffers.Binary;
using System.Text;

namespace Quickq.Spool.Repair;

/// <summary>One row as SQLite stores it, taken apart without trust: what does not fit its own header is no row.</summary>
internal sealed class StoredRecord
{
    private const int MostColumns = 64;
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly byte[] _payload;
    private readonly List<(long Type, int Offset, int Length)> _columns;

    private StoredRecord(byte[] payload, List<(long, int, int)> columns)
    {
        _payload = payload;
        _columns = columns;
    }

    /// <summary>How many columns it has.</summary>
    public int Count => _columns.Count;

    /// <summary>The row in <paramref name="payload"/>, or null when it is none.</summary>
    public static StoredRecord? Parse(byte[] payload)
    {
        int at = 0;
        if (!TryReadVarint(payload, ref at, out long headerBytes) || headerBytes < at || headerBytes > payload.Length)
        {
            return null;
        }

        var columns = new List<(long, int, int)>();
        long body = headerBytes;
        while (at < headerBytes)
        {
            if (columns.Count == MostColumns || !TryReadVarint(payload.AsSpan(0, (int)headerBytes), ref at, out long type) || LengthOf(type) is not { } length || body + length > payload.Length)
            {
                return null;
            }

            columns.Add((type, (int)body, (int)length));
            body += length;
        }

        return body == payload.Length ? new StoredRecord(payload, columns) : null;
    }

    /// <summary>Reads SQLite's variable-length number, at most nine bytes.</summary>
    public static bool TryReadVarint(ReadOnlySpan<byte> bytes, ref int at, out long value)
    {
        ulong number = 0;
        for (int i = 0; i < 9; i++)
        {
            if (at >= bytes.Length)
            {
                value = 0;
                return false;
            }

            byte next = bytes[at++];
            number = i == 8 ? (number << 8) | next : (number << 7) | (next & 0x7Fu);
            if (next < 0x80)
            {
                break;
            }
        }

        value = (long)number;
        return true;
    }

    /// <summary>True for NULL.</summary>
    public bool IsNull(int column) => _columns[column].Type == 0;

    /// <summary>The whole number in a column; null for anything else.</summary>
    public long? Number(int column)
    {
        (long type, int offset, int length) = _columns[column];
        if (type is 8 or 9)
        {
            return type - 8;
        }

        if (type is < 1 or > 6)
        {
            return null;
        }

        long value = (sbyte)_payload[offset];
        for (int i = 1; i < length; i++)
        {
            value = (value << 8) | _payload[offset + i];
        }

        return value;
    }

    /// <summary>The text in a column; null for anything else, and where it is not UTF-8.</summary>
    public string? Text(int column) => Value(column) as string;

    /// <summary>
    /// What a column holds, whatever it was declared as: <see cref="DBNull"/>, <see cref="long"/>, <see cref="double"/>, <see cref="string"/>, <see cref="RawText"/> or
    /// a byte array.
    /// </summary>
    public object Value(int column)
    {
        (long type, int offset, int length) = _columns[column];
        ReadOnlySpan<byte> bytes = _payload.AsSpan(offset, length);
        return type switch
        {
            0 => DBNull.Value,
            7 => BinaryPrimitives.ReadDoubleBigEndian(bytes) is var real && double.IsNaN(real) ? DBNull.Value : real,
            < 12 => Number(column)!.Value,
            _ when (type & 1) == 0 => bytes.ToArray(),
            _ => DecodeText(bytes),
        };
    }

    private static object DecodeText(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return bytes.Contains((byte)0) ? new RawText(bytes.ToArray()) : Strict.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            return new RawText(bytes.ToArray());
        }
    }

    private static long? LengthOf(long type) => type switch
    {
        0 or 8 or 9 => 0,
        >= 1 and <= 4 => type,
        5 => 6,
        6 or 7 => 8,
        >= 12 and <= int.MaxValue => (type - 12) / 2,
        _ => null,
    };
}

/// <summary>Text that has no exact form as a <see cref="string"/>: not UTF-8, or with a zero byte, where SQLite's readers end it.</summary>
internal sealed record RawText(byte[] Bytes);
