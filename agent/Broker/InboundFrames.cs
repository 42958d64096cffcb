using System.Buffers.Binary;

namespace Quickq.Agent.Broker;

/// <summary>Looks at what a server sends before the client library parses it, and ends the connection where the library would take harm.</summary>
/// <remarks>
/// <para>The library reads nested tables by recursion (100,000 levels overflow the stack and end the process), takes any size of frame that a server proposes, and
/// allocates what a header announces. Here a frame has at most <see cref="LargestFrame"/> bytes, one with a method <see cref="LargestMethod"/>, tables are nested
/// <see cref="TableNesting.Deepest"/> levels at most, and a proposed frame size under 4,096 is refused.</para>
/// <para>Of a returned message only the properties are passed on: header and body together would cost several times its size, and nobody reads the body again.</para>
/// <para>Belongs to the reader of one connection. What arrives in parts is checked in parts; the library never sees the end of a frame that was not checked.</para>
/// </remarks>
internal sealed class InboundFrames
{
    /// <summary>In bytes, with header and end; what is asked for in connection.tune.</summary>
    public const int LargestFrame = 131_072;

    /// <summary>In bytes of payload.</summary>
    public const int LargestMethod = 64 * 1024;

    /// <summary>Bytes that <see cref="Pass"/> may have kept back from the last call; a buffer must have more than that.</summary>
    public const int MostKeptBack = FrameHeader + ContentStart;

    private const int FrameHeader = 7, FrameEnd = 1;

    // Class, weight and size of the body.
    private const int ContentStart = 12, BodySizeAt = 4;
    private const int SmallestFrameMax = 4_096;
    private const byte Method = 1, Content = 2, Body = 3, Heartbeat = 8;
    private const uint ConnectionStart = (10u << 16) | 10, ConnectionTune = (10u << 16) | 30;
    private const uint BasicReturn = (60u << 16) | 50, BasicAck = (60u << 16) | 80, BasicNack = (60u << 16) | 120;

    private readonly byte[] _keptBack = new byte[MostKeptBack];
    private int _keptBackCount;
    private int _left;
    private bool _dropping;
    private bool _foreign;
    private bool _isAnswer;
    private MemoryStream? _watched;
    private Action<ReadOnlySpan<byte>>? _check;

    /// <summary>What was passed last is confirms, nacks, returns and heartbeats alone: what the library and the agent do about it takes a moment.</summary>
    public bool HasOnlyAnswers { get; private set; }

    /// <summary>Puts what was kept back at the beginning of the buffer; what is received next belongs behind it. Returns how much that is.</summary>
    public int Restore(Span<byte> buffer)
    {
        _keptBack.AsSpan(0, _keptBackCount).CopyTo(buffer);
        return _keptBackCount;
    }

    /// <summary>Checks what was received, with what <see cref="Restore"/> put before it. Returns how many bytes, from the beginning of the buffer, are for the library.</summary>
    /// <exception cref="BrokerProtocolException">The connection must end.</exception>
    public int Pass(Span<byte> received)
    {
        _keptBackCount = 0;
        HasOnlyAnswers = _left == 0 || _isAnswer;
        (int from, int to) = (0, 0);
        while (from < received.Length)
        {
            if (_left == 0 && !_foreign && !BeginFrame(received[from..]))
            {
                received[from..].CopyTo(_keptBack);
                _keptBackCount = received.Length - from;
                break;
            }

            HasOnlyAnswers &= _isAnswer;
            int count = _foreign ? received.Length - from : Math.Min(_left, received.Length - from);
            if (!_dropping)
            {
                received.Slice(from, count).CopyTo(received[to..]);
                to += count;
            }

            Watch(received.Slice(to - (_dropping ? 0 : count), _dropping ? 0 : count));
            from += count;
            _left = Math.Max(0, _left - count);
        }

        return to;
    }

    /// <summary>False when more bytes are needed to tell what begins here.</summary>
    private bool BeginFrame(Span<byte> bytes)
    {
        byte type = bytes[0];
        _isAnswer = false;
        if (type == (byte)'A')
        {
            _foreign = true; // "AMQP" and a version: the library says that the server speaks another one, and reads no further
            return true;
        }

        if (type is not (Method or Content or Body or Heartbeat))
        {
            throw new BrokerProtocolException($"does not speak AMQP 0-9-1 (a frame of type {type}); is it an AMQP port, and one without TLS?");
        }

        int needed = FrameHeader + type switch { Method => 4, Content => ContentStart, _ => 0 };
        if (bytes.Length < needed)
        {
            return false;
        }

        uint size = BinaryPrimitives.ReadUInt32BigEndian(bytes[3..]);
        uint most = type switch { Method => LargestMethod, Heartbeat => 0, _ => LargestFrame - FrameHeader - FrameEnd };
        if (size > most || size < needed - FrameHeader)
        {
            throw new BrokerProtocolException(FormattableString.Invariant($"sent a frame of {size:N0} bytes where at most {most:N0} are allowed"));
        }

        _left = FrameHeader + (int)size + FrameEnd;
        _dropping = type == Body;
        _isAnswer = type != Method || BinaryPrimitives.ReadUInt32BigEndian(bytes[FrameHeader..]) is BasicAck or BasicNack or BasicReturn;
        (_watched, _check) = (null, null);
        switch (type)
        {
            case Method:
                _check = BinaryPrimitives.ReadUInt32BigEndian(bytes[FrameHeader..]) switch
                {
                    ConnectionStart => CheckStart,
                    ConnectionTune => CheckTune,
                    _ => null,
                };
                break;
            case Content:
                bytes.Slice(FrameHeader + BodySizeAt, sizeof(ulong)).Clear();
                _check = CheckProperties;
                break;
            default:
                break;
        }

        return true;
    }

    /// <summary>Gathers a frame that is to be checked, and checks it when it is whole.</summary>
    private void Watch(ReadOnlySpan<byte> bytes)
    {
        if (_check is not { } check)
        {
            return;
        }

        if (_watched is null && bytes.Length == _left)
        {
            check(bytes[FrameHeader..^FrameEnd]); // mostly it comes whole
            _check = null;
            return;
        }

        _watched ??= new MemoryStream(_left);
        _watched.Write(bytes);
        if (bytes.Length == _left)
        {
            check(_watched.GetBuffer().AsSpan(FrameHeader, (int)_watched.Length - FrameHeader - FrameEnd));
            (_watched, _check) = (null, null);
        }
    }

    // Class, method and the two numbers of the version come first.
    private static void CheckStart(ReadOnlySpan<byte> payload) => TableNesting.Require(payload, at: 6);

    private static void CheckTune(ReadOnlySpan<byte> payload)
    {
        const int frameMaxAt = 6;
        if (payload.Length >= frameMaxAt + sizeof(uint) && BinaryPrimitives.ReadUInt32BigEndian(payload[frameMaxAt..]) is > 0 and < SmallestFrameMax and var frameMax)
        {
            throw new BrokerProtocolException(FormattableString.Invariant($"proposes frames of {frameMax} bytes; AMQP needs at least {SmallestFrameMax:N0}"));
        }
    }

    private static void CheckProperties(ReadOnlySpan<byte> payload)
    {
        const int hasContentType = 1 << 15, hasContentEncoding = 1 << 14, hasHeaders = 1 << 13;
        if (payload.Length < ContentStart + sizeof(ushort))
        {
            return;
        }

        int flags = BinaryPrimitives.ReadUInt16BigEndian(payload[ContentStart..]), at = ContentStart + sizeof(ushort);
        foreach (int shortText in (ReadOnlySpan<int>)[hasContentType, hasContentEncoding])
        {
            if ((flags & shortText) != 0 && at < payload.Length)
            {
                at += 1 + payload[at];
            }
        }

        if ((flags & hasHeaders) != 0)
        {
            TableNesting.Require(payload, at);
        }
    }
}
