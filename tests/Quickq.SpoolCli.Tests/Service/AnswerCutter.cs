using System.Buffers.Binary;
using System.Net.Sockets;

namespace Quickq.SpoolCli.Tests.Service;

/// <summary>A socket between client and service that keeps back the service's answers once, so that they are lost; later connections it passes on.</summary>
internal sealed class AnswerCutter : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly string _service;
    private readonly CancellationTokenSource _end = new();

    public AnswerCutter(string path, string service)
    {
        (Path, _service) = (path, service);
        _listener.Bind(new UnixDomainSocketEndPoint(path));
        _listener.Listen();
    }

    public string Path { get; }

    /// <summary>Passes on one connection's requests; when so many answers have come from the service, does <paramref name="then"/> and closes.</summary>
    public async Task CutAfterAsync(int answers, Action then, TimeSpan limit)
    {
        using var timeout = new CancellationTokenSource(limit);
        using Socket client = await _listener.AcceptAsync(timeout.Token);
        using Socket service = await ConnectAsync(timeout.Token);
        Task requests = CopyAsync(client, service, timeout.Token);
        using var stream = new NetworkStream(service);
        for (int i = 0; i < answers; i++)
        {
            byte[] length = new byte[4];
            await stream.ReadExactlyAsync(length, timeout.Token);
            await stream.ReadExactlyAsync(new byte[BinaryPrimitives.ReadInt32BigEndian(length)], timeout.Token);
        }

        then();
        client.Close();
        await requests;
    }

    /// <summary>Passes on all connections from now on, both ways.</summary>
    public void PassOn() => _ = PassOnAsync();

    public void Dispose()
    {
        _end.Cancel();
        _listener.Dispose();
        _end.Dispose();
    }

    private async Task PassOnAsync()
    {
        try
        {
            while (true)
            {
                Socket client = await _listener.AcceptAsync(_end.Token);
                Socket service = await ConnectAsync(_end.Token);
                _ = CopyAsync(client, service, _end.Token);
                _ = CopyAsync(service, client, _end.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The test is over.
        }
    }

    private async Task<Socket> ConnectAsync(CancellationToken cancellation)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(_service), cancellation);
        return socket;
    }

    private static async Task CopyAsync(Socket from, Socket to, CancellationToken cancellation)
    {
        byte[] buffer = new byte[64 * 1024];
        try
        {
            while (await from.ReceiveAsync(buffer, SocketFlags.None, cancellation) is var count and > 0)
            {
                await to.SendAsync(buffer.AsMemory(0, count), SocketFlags.None, cancellation);
            }

            to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // One side has gone, which is what these tests are about.
        }
    }
}
