using System.Net.Security;
using System.Net.Sockets;

namespace Quickq.Agent.Broker;

/// <summary>
/// The encrypted stream of one connection, in the form in which the client takes one. The client's own TLS has no way to send the certificates between
/// the agent's and the authority, and brokers that know the authority alone then refuse it.
/// </summary>
/// <remarks>Everything that reads or writes is passed to TLS: nothing can go past it in plain.</remarks>
internal sealed class TlsStream : NetworkStream
{
    private readonly SslStream _tls;

    private TlsStream(Socket socket, SslStream tls)
        : base(socket, ownsSocket: false)
    {
        _tls = tls;
    }

    /// <summary>Makes the handshake; throws what <see cref="SslStream"/> throws.</summary>
    public static async Task<TlsStream> OpenAsync(Socket socket, SslClientAuthenticationOptions options, CancellationToken limit)
    {
        var tls = new SslStream(new NetworkStream(socket, ownsSocket: false));
        try
        {
            await tls.AuthenticateAsClientAsync(options, limit);
            return new TlsStream(socket, tls);
        }
        catch
        {
            await tls.DisposeAsync();
            throw;
        }
    }

    public override int Read(Span<byte> buffer) => _tls.Read(buffer);

    public override int Read(byte[] buffer, int offset, int count) => _tls.Read(buffer, offset, count);

    public override int ReadByte() => _tls.ReadByte();

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => _tls.ReadAsync(buffer, offset, count, cancellationToken);

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => _tls.ReadAsync(buffer, cancellationToken);

    public override IAsyncResult BeginRead(byte[] buffer, int offset, int count, AsyncCallback? callback, object? state) => _tls.BeginRead(buffer, offset, count, callback, state);

    public override int EndRead(IAsyncResult asyncResult) => _tls.EndRead(asyncResult);

    public override void Write(ReadOnlySpan<byte> buffer) => _tls.Write(buffer);

    public override void Write(byte[] buffer, int offset, int count) => _tls.Write(buffer, offset, count);

    public override void WriteByte(byte value) => _tls.WriteByte(value);

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => _tls.WriteAsync(buffer, offset, count, cancellationToken);

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => _tls.WriteAsync(buffer, cancellationToken);

    public override IAsyncResult BeginWrite(byte[] buffer, int offset, int count, AsyncCallback? callback, object? state) => _tls.BeginWrite(buffer, offset, count, callback, state);

    public override void EndWrite(IAsyncResult asyncResult) => _tls.EndWrite(asyncResult);

    public override void Flush() => _tls.Flush();

    public override Task FlushAsync(CancellationToken cancellationToken) => _tls.FlushAsync(cancellationToken);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _tls.Dispose();
        }

        base.Dispose(disposing);
    }
}
