using System.Buffers.Binary;
using System.Text;

namespace Quickq.Testing.Network;

/// <summary>What a broker says, byte by byte: as it should be, and, by the arguments, as no broker says it.</summary>
public static class AmqpFrames
{
    private const byte MethodType = 1, ContentType = 2, BodyType = 3, HeartbeatType = 8, FrameEnd = 0xCE;

    /// <summary>connection.start, with these server properties.</summary>
    public static byte[] Start(byte[]? properties = null) => Method(0, 10, 10, [0, 9, .. properties ?? NestedTable(2), .. Long("PLAIN AMQPLAIN"u8), .. Long("en_US"u8)]);

    public static byte[] Tune(ushort channelMax = 2047, uint frameMax = 131_072, ushort heartbeat = 60) => Method(0, 10, 30, [.. Number(channelMax), .. Number(frameMax), .. Number(heartbeat)]);

    public static byte[] OpenOk() => Method(0, 10, 41, [0]);

    public static byte[] ChannelOpenOk(ushort channel) => Method(channel, 20, 11, [0, 0, 0, 0]);

    public static byte[] ConfirmSelectOk(ushort channel) => Method(channel, 85, 11, []);

    public static byte[] Ack(ushort channel, ulong tag, bool multiple = false) => Method(channel, 60, 80, [.. Number(tag), multiple ? (byte)1 : (byte)0]);

    public static byte[] Return(ushort channel, string key) => Method(channel, 60, 50, [.. Number((ushort)312), .. Short("NO_ROUTE"), .. Short("e"), .. Short(key)]);

    public static byte[] Blocked(string reason) => Method(0, 10, 60, Short(reason));

    public static byte[] Unblocked() => Method(0, 10, 61, []);

    public static byte[] ConnectionClose(ushort code, string text) => Method(0, 10, 50, [.. Number(code), .. Short(text), 0, 0, 0, 0]);

    public static byte[] ChannelClose(ushort channel, ushort code, string text) => Method(channel, 20, 40, [.. Number(code), .. Short(text), 0, 0, 0, 0]);

    /// <summary>The header of a content with a body of so many bytes; its only property are these headers.</summary>
    public static byte[] Content(ushort channel, ulong bodyBytes, byte[] headers) =>
        Frame(ContentType, channel, [.. Number((ushort)60), 0, 0, .. Number(bodyBytes), 0x20, 0, .. headers]);

    /// <summary>The header of an empty content with this message id.</summary>
    public static byte[] ContentOf(ushort channel, string messageId) => Frame(ContentType, channel, [.. Number((ushort)60), 0, 0, .. Number(0ul), 0, 0x80, .. Short(messageId)]);

    public static byte[] Body(ushort channel, int bytes) => Frame(BodyType, channel, new byte[bytes]);

    public static byte[] Heartbeat() => Frame(HeartbeatType, 0, []);

    /// <summary>Any method with these arguments.</summary>
    public static byte[] Method(ushort channel, ushort classId, ushort methodId, byte[] arguments) =>
        Frame(MethodType, channel, [.. Number(classId), .. Number(methodId), .. arguments]);

    public static byte[] Frame(byte type, ushort channel, byte[] payload) => [type, .. Number(channel), .. Number((uint)payload.Length), .. payload, FrameEnd];

    /// <summary>A table in a table, so many of them; the innermost is empty.</summary>
    public static byte[] NestedTable(int levels) => Nested(levels, [0, (byte)'F']);

    /// <summary>A table with an array in an array.</summary>
    public static byte[] NestedArray(int levels)
    {
        byte[] arrays = Nested(levels, [(byte)'A']);
        return [.. Number((uint)(arrays.Length + 2)), 0, (byte)'A', .. arrays];
    }

    // From the outside in: each length covers all that is within.
    private static byte[] Nested(int levels, byte[] before)
    {
        int step = before.Length + sizeof(uint);
        var table = new byte[sizeof(uint) + ((levels - 1) * step)];
        for (int level = 0, at = 0; level < levels; level++, at += step)
        {
            BinaryPrimitives.WriteUInt32BigEndian(table.AsSpan(at), (uint)((levels - 1 - level) * step));
            if (level < levels - 1)
            {
                before.CopyTo(table, at + sizeof(uint));
            }
        }

        return table;
    }

    private static byte[] Short(string text) => [(byte)Encoding.UTF8.GetByteCount(text), .. Encoding.UTF8.GetBytes(text)];

    private static byte[] Long(ReadOnlySpan<byte> text) => [.. Number((uint)text.Length), .. text];

    private static byte[] Number(ushort value)
    {
        var bytes = new byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, value);
        return bytes;
    }

    private static byte[] Number(uint value)
    {
        var bytes = new byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return bytes;
    }

    private static byte[] Number(ulong value)
    {
        var bytes = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, value);
        return bytes;
    }
}
