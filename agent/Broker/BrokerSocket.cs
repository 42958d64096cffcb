using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using RabbitMQ.Client;

namespace Quickq.Agent.Broker;

/// <summary>
/// The connected TCP socket under a connection. We connect it, so that every address is tried under a deadline of ours,
/// and hand it to the client; we keep hold of it, so that a connection which hangs can be cut off and leaks nothing.
/// </summary>
internal sealed class BrokerSocket : ITcpClient
{
    private const int TcpLevel = 6;
    private const int TcpInfo = 11;
    private const int TcpUserTimeout = 18;

    private const byte TcpClosed = 7;

    // Where the kernel's struct tcp_info, of which the first byte is the state, has tcpi_last_data_recv and tcpi_last_ack_recv, in milliseconds.
    private const int LastDataReceived = 52;
    private const int LastAcknowledged = 56;

    private readonly TimeSpan _unacknowledged;
    private BrokerStream? _encrypted;

    private BrokerSocket(AddressFamily family, TimeSpan unacknowledged)
    {
        _unacknowledged = unacknowledged;
        Client = new Socket(family, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    }

    public Socket Client { get; }

    public bool Connected => Client.Connected;

    /// <summary>
    /// What ended the connection, if an error did. The kernel tells it once, to the call that comes first: where that is a write, the client's
    /// reader sees nothing but an end, as if the broker had hung up. But then the socket would not be closed: that side would still be open.
    /// </summary>
    public SocketError? EndedBy => TryReadInfo(out var info) && info[0] == TcpClosed
        ? Milliseconds(info, LastAcknowledged) >= _unacknowledged - TimeSpan.FromSeconds(1) ? SocketError.TimedOut : SocketError.ConnectionReset
        : null;

    /// <summary>How long nothing has come from the other side; null once the socket is gone.</summary>
    public TimeSpan? SinceReceived => TryReadInfo(out var info) ? Milliseconds(info, LastDataReceived) : null;

    public TimeSpan ReceiveTimeout
    {
        get => TimeSpan.FromMilliseconds(Client.ReceiveTimeout);
        set => Client.ReceiveTimeout = (int)value.TotalMilliseconds;
    }

    /// <summary>Connects to one address.</summary>
    /// <exception cref="BrokerUnavailableException">Nobody answers there in time, or somebody refuses.</exception>
    public static async Task<BrokerSocket> ConnectAsync(IPEndPoint endpoint, BrokerDeadlines deadlines, TimeProvider time, CancellationToken stopping)
    {
        using var expiry = new CancellationTokenSource(deadlines.Connect, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, expiry.Token);
        BrokerSocket? socket = null;
        try
        {
            // Throws too: on a host without v6, for an address that is v6.
            socket = new BrokerSocket(endpoint.AddressFamily, deadlines.Unacknowledged);
            try
            {
                await socket.Client.ConnectAsync(endpoint, either.Token);
            }
            finally
            {
                await Task.Yield(); // what follows is no matter for the thread that told it
            }

            socket.WatchForSilence();
            return socket;
        }
        catch (SocketException refused)
        {
            socket?.Cut();
            throw new BrokerUnavailableException(ConnectFailure.Describe(refused, endpoint), refused);
        }
        catch (OperationCanceledException late)
        {
            socket?.Cut();
            stopping.ThrowIfCancellationRequested();
            throw new BrokerUnavailableException($"no answer from {endpoint} within {deadlines.Connect.TotalSeconds:0.#} s", late);
        }
    }

    /// <summary>Makes the TLS handshake: from then on the client, which knows nothing of it, gets the encrypted stream.</summary>
    public async Task EncryptAsync(SslClientAuthenticationOptions options, CancellationToken limit) => _encrypted = await BrokerStream.EncryptAsync(Client, options, limit);

    /// <summary>
    /// While the broker blocks us it reads nothing, and the kernel counts a full receive buffer at the peer as silence
    /// (measured on Linux 6.18: ETIMEDOUT 0.8 s after TCP_USER_TIMEOUT): the link must not die of an alarm. A dead one is
    /// told by <see cref="BlockedConnectionMonitor"/> meanwhile.
    /// </summary>
    public void ResetConfirmTimeout() => SetUserTimeout(TimeSpan.Zero);

    /// <summary>A link without life is noticed by the kernel, with data on its way or without.</summary>
    public void WatchForSilence()
    {
        SetUserTimeout(_unacknowledged);
        Client.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, optionValue: true);
        Client.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 10);
        Client.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 3);
        Client.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 3);
    }

    /// <summary>Ends the connection at once, by a reset: what is left in buffers goes nowhere and nothing lingers.</summary>
    public void Cut()
    {
        try
        {
            Client.LingerState = new LingerOption(enable: true, seconds: 0);
        }
        catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
        {
            // Closed before, by the client or the peer: that is what was wanted.
        }

        Client.Dispose();
    }

    /// <summary>For the client, which connects what it was given: it is connected.</summary>
    public Task ConnectAsync(string host, int port) => Task.CompletedTask;

    public Task ConnectAsync(IPAddress host, int port) => Task.CompletedTask;

    public Task ConnectAsync(IPAddress host, int port, CancellationToken cancellationToken = default) => Task.CompletedTask;

    public NetworkStream GetStream() => _encrypted ?? BrokerStream.Over(Client);

    public void Close() => Client.Dispose();

    public void Dispose() => Client.Dispose();

    private void SetUserTimeout(TimeSpan limit)
    {
        try
        {
            Client.SetRawSocketOption(TcpLevel, TcpUserTimeout, BitConverter.GetBytes((int)limit.TotalMilliseconds));
        }
        catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
        {
            // The connection ended in this moment; its loss is reported on its own way.
        }
    }

    private static TimeSpan Milliseconds(byte[] info, int at) => TimeSpan.FromMilliseconds(BitConverter.ToUInt32(info, at));

    private bool TryReadInfo(out byte[] info)
    {
        info = new byte[LastAcknowledged + sizeof(uint)];
        try
        {
            return Client.GetRawSocketOption(TcpLevel, TcpInfo, info) == info.Length;
        }
        catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
        {
            return false; // closed before, by us or by the client
        }
    }
}
