using System.Net;
using System.Net.Sockets;

namespace Quickq.Testing;

/// <summary>Ports on 127.0.0.1 that nobody uses, below the range from which the kernel serves outgoing connections.</summary>
/// <remarks>A server that is down for a while must find its port free when it comes back; a port of the kernel's range might be taken meanwhile.</remarks>
public static class FreePort
{
    private const int Lowest = 20_000;
    private const int Highest = 32_000;
    private static readonly Lock Gate = new();
    private static readonly HashSet<int> Given = [];
    private static readonly Random Dice = new();

    public static int Next()
    {
        lock (Gate)
        {
            while (true)
            {
                var port = Dice.Next(Lowest, Highest);
                if (Given.Add(port) && IsFree(port))
                {
                    return port;
                }
            }
        }
    }

    private static bool IsFree(int port)
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            probe.Bind(new IPEndPoint(IPAddress.Loopback, port));
            return true;
        }
        catch (SocketException inUse) when (inUse.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            return false;
        }
    }
}
