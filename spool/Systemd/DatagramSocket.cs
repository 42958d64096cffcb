using System.Net.Sockets;

namespace Quickq.Spool.Systemd;

/// <summary>What became of a datagram.</summary>
internal enum DatagramFate
{
    Taken,

    /// <summary>The receiver does not read: its queue is full.</summary>
    Full,

    /// <summary>No socket is there, or nobody has it open.</summary>
    NobodyThere,

    /// <summary>More than the kernel takes at once.</summary>
    TooLarge,
}

/// <summary>
/// Sends to a local datagram socket and never waits: libsystemd's own calls hang at the twelfth record when nobody reads
/// (the kernel queues eleven), and with them whoever logs. Addressed anew each time, so that a receiver may come and go.
/// </summary>
internal sealed class DatagramSocket : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { Blocking = false };
    private readonly UnixDomainSocketEndPoint _receiver;

    /// <param name="address">A path, or a name that begins with <c>@</c>: then of the abstract kind.</param>
    public DatagramSocket(string address) =>
        _receiver = new UnixDomainSocketEndPoint(address is ['@', .. var name] ? '\0' + name : address);

    public DatagramFate Send(ReadOnlySpan<byte> datagram)
    {
        try
        {
            _socket.SendTo(datagram, SocketFlags.None, _receiver);
            return DatagramFate.Taken;
        }
        catch (SocketException failure)
        {
            return failure.SocketErrorCode switch
            {
                SocketError.WouldBlock or SocketError.NoBufferSpaceAvailable => DatagramFate.Full,
                SocketError.MessageSize => DatagramFate.TooLarge,
                _ => DatagramFate.NobodyThere,
            };
        }
    }

    public void Dispose() => _socket.Dispose();
}
