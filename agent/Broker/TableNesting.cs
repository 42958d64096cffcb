using System.Buffers.Binary;

namespace Quickq.Agent.Broker;

/// <summary>Walks an AMQP table without recursion, in the order in which the client library would read it.</summary>
internal static class TableNesting
{
    /// <summary>Levels of tables and arrays within each other. RabbitMQ's own have two.</summary>
    public const int Deepest = 32;

    /// <summary>Makes sure that the library can read the table at this place.</summary>
    /// <exception cref="BrokerProtocolException">It is nested too deeply, or not what AMQP allows there.</exception>
    public static void Require(ReadOnlySpan<byte> payload, int at)
    {
        Span<int> ends = stackalloc int[Deepest];
        Span<bool> isTable = stackalloc bool[Deepest];
        int depth = 0;
        (ends[0], isTable[0]) = (End(payload, ref at), true);
        while (true)
        {
            if (at >= ends[depth])
            {
                if (depth == 0)
                {
                    return;
                }

                depth--;
                continue;
            }

            if (isTable[depth])
            {
                at += 1 + payload[at]; // the name
            }

            char kind = at < payload.Length ? (char)payload[at++] : throw Malformed();
            if (kind is 'F' or 'A')
            {
                if (++depth == Deepest)
                {
                    throw new BrokerProtocolException($"sent a table with more than {Deepest} levels");
                }

                (ends[depth], isTable[depth]) = (End(payload, ref at), kind is 'F');
                continue;
            }

            at = kind is 'S' or 'x' ? End(payload, ref at) : at + SizeOf(kind);
        }
    }

    /// <summary>Where what begins with its length in four bytes ends.</summary>
    private static int End(ReadOnlySpan<byte> payload, ref int at)
    {
        if (at + sizeof(uint) > payload.Length)
        {
            throw Malformed();
        }

        uint length = BinaryPrimitives.ReadUInt32BigEndian(payload[at..]);
        at += sizeof(uint);
        return length <= payload.Length - at ? at + (int)length : throw Malformed();
    }

    private static int SizeOf(char kind) => kind switch
    {
        'V' => 0,
        't' or 'b' or 'B' => 1,
        's' or 'u' => 2,
        'I' or 'i' or 'f' => 4,
        'D' => 5,
        'l' or 'd' or 'T' => 8,
        _ => throw Malformed(),
    };

    private static BrokerProtocolException Malformed() => new("sent a table that is no AMQP table");
}
