using System.Net.Sockets;
using System.Text;

namespace Quickq.Testing;

/// <summary>The end of NOTIFY_SOCKET that systemd has: keeps what a service says, in order, from the first datagram on.</summary>
public sealed class NotifySocket : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
    private readonly Lock _gate = new();
    private readonly List<string> _heard = [];

    /// <param name="address">A path, or <c>@</c> and an abstract name.</param>
    /// <param name="reads">False: nobody reads before <see cref="Listen"/>, as with a systemd that hangs.</param>
    public NotifySocket(string address, bool reads = true)
    {
        Address = address;
        _socket.Bind(new UnixDomainSocketEndPoint(address is ['@', .. var name] ? '\0' + name : address));
        if (reads)
        {
            Listen();
        }
    }

    public string Address { get; }

    /// <summary>All assignments so far.</summary>
    public IReadOnlyList<string> Heard
    {
        get
        {
            lock (_gate)
            {
                return [.. _heard];
            }
        }
    }

    /// <summary>How often something was said that begins so.</summary>
    public int Count(string assignment) => Heard.Count(heard => heard.StartsWith(assignment, StringComparison.Ordinal));

    public Task AwaitAsync(string assignment, TimeSpan limit, int times = 1) =>
        Eventually.Is($"'{assignment}' was said {times} times", limit, () => Count(assignment) >= times);

    /// <summary>From now on what is said is read.</summary>
    public void Listen() => new Thread(Read) { IsBackground = true, Name = "notify socket" }.Start();

    public void Dispose() => _socket.Dispose();

    private void Read()
    {
        var buffer = new byte[65_536];
        try
        {
            while (_socket.Receive(buffer) is var length and > 0)
            {
                lock (_gate)
                {
                    _heard.AddRange(Encoding.UTF8.GetString(buffer, 0, length).Split('\n', StringSplitOptions.RemoveEmptyEntries));
                }
            }
        }
        catch (Exception closed) when (closed is SocketException or ObjectDisposedException)
        {
            // Disposed: the test is over.
        }
    }
}
