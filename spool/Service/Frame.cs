using System.Buffers.Binary;
using System.Globalization;

namespace Quickq.Spool.Service;

/// <summary>The kinds of frames of the spool service (docs/spool-protocol.md): the byte after the length.</summary>
internal static class FrameKind
{
    public const byte Hello = (byte)'h', Add = (byte)'a', Wait = (byte)'w', Status = (byte)'s', Connections = (byte)'c', Run = (byte)'r';
    public const byte Data = (byte)'d', Signal = (byte)'k', Answer = (byte)'j', Error = (byte)'e';

    /// <summary>Whether a client may send it.</summary>
    public static bool IsFromClient(byte kind) => kind is Hello or Add or Wait or Status or Connections or Run or Data or Signal;

    /// <summary>Whether a service may send it.</summary>
    public static bool IsFromService(byte kind) => kind is Data or Answer or Error;
}

/// <summary>One frame: its kind, and what follows it.</summary>
internal readonly record struct Frame(byte Kind, ReadOnlyMemory<byte> Payload)
{
    /// <summary>Bytes of length and kind.</summary>
    public const int HeaderLength = 5;

    /// <summary>Largest value of the length, which counts the kind too: 64 MiB.</summary>
    public const int MaxLength = 64 * 1024 * 1024;

    /// <summary>Largest payload in bytes.</summary>
    public const int MaxPayload = MaxLength - 1;

    /// <summary>The frame as it is sent.</summary>
    /// <exception cref="ProtocolException">The payload is too large for a frame.</exception>
    public static byte[] Encode(byte kind, ReadOnlySpan<byte> payload)
    {
        byte[] bytes = new byte[HeaderLength + payload.Length];
        WriteHeader(bytes, kind, payload.Length);
        payload.CopyTo(bytes.AsSpan(HeaderLength));
        return bytes;
    }

    /// <summary>Writes length and kind.</summary>
    /// <exception cref="ProtocolException">The payload is too large for a frame.</exception>
    public static void WriteHeader(Span<byte> destination, byte kind, int payloadLength)
    {
        if (payloadLength is < 0 or > MaxPayload)
        {
            throw new ProtocolException(string.Create(CultureInfo.InvariantCulture, $"a frame holds at most {MaxPayload:N0} bytes, not {payloadLength:N0}"));
        }

        BinaryPrimitives.WriteInt32BigEndian(destination, payloadLength + 1);
        destination[4] = kind;
    }

    /// <summary>Reads length and kind; false while fewer than <see cref="HeaderLength"/> bytes are there.</summary>
    /// <exception cref="ProtocolException">The length is 0 or more than <see cref="MaxLength"/>.</exception>
    public static bool TryReadHeader(ReadOnlySpan<byte> received, out byte kind, out int payloadLength)
    {
        kind = 0;
        payloadLength = 0;
        if (received.Length < sizeof(uint))
        {
            return false;
        }

        uint length = BinaryPrimitives.ReadUInt32BigEndian(received);
        if (length is 0 or > MaxLength)
        {
            throw new ProtocolException(string.Create(CultureInfo.InvariantCulture, $"invalid frame length {length:N0}: must be 1 to {MaxLength:N0}"));
        }

        if (received.Length < HeaderLength)
        {
            return false;
        }

        kind = received[4];
        payloadLength = (int)length - 1;
        return true;
    }
}

/// <summary>The other side does not speak the protocol; the connection is of no more use. Exit code 64.</summary>
internal sealed class ProtocolException(string message, Exception? inner = null) : Exception(message, inner);
