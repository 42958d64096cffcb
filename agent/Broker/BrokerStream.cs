using System.Diagnostics;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace Quickq.Agent.Broker;

/// <summary>
/// The stream of one connection, plain or encrypted, in the form in which the client takes one. Gathers what the client writes: it writes and flushes message
/// by message, and a call of the kernel for each is a third of what it costs to publish one, here and at the broker.
/// </summary>
/// <remarks>
/// <para>Guarantees: bytes go out in the order of writing, at once when nothing is on its way, else as soon as what is on its way has gone; a writer waits when
/// <see cref="Capacity"/> bytes wait; an error of the connection comes with the next write. What is gathered and not sent when the connection closes goes nowhere.
/// What is larger than <see cref="LargestGathered"/> is not copied: a call for itself is little beside its bytes.</para>
/// <para>Where the kernel's events are worked off on the thread that waits for them (<see cref="SocketThreads"/>), answers go on there, <see cref="MostAtOnce"/> reads in a
/// row; all else that is read goes on in the pool, and so does a writer that had to wait.</para>
/// <para>One writer at a time, as the client is. Everything read or written goes through the inner stream: nothing can go past TLS in plain.
/// The client's own TLS is not used: it has no way to send the certificates between the agent's and the authority, and brokers that know the authority
/// alone then refuse it.</para>
/// </remarks>
internal sealed class BrokerStream : NetworkStream
{
    /// <summary>More than this is not gathered. Twice that is held: one part is filled while the other goes.</summary>
    public const int Capacity = 64 * 1024;

    public const int LargestGathered = 16 * 1024;

    /// <summary>A broker that sends without end keeps the thread that reads for others too no longer than this.</summary>
    private const int MostAtOnce = 8;

    /// <summary>After so long without a write this one is no part of a burst: it goes at once, and no other thread is woken for it.</summary>
    private static readonly TimeSpan Lull = TimeSpan.FromMilliseconds(1);

    private readonly Stream _inner;
    private readonly InboundFrames _inbound = new();
    private int _readsInARow;
    private readonly Lock _gate = new();

    // Guarded by the gate.
    private long _writtenAt;
    private byte[] _gathered = new byte[Capacity];
    private byte[] _leaving = new byte[Capacity];
    private int _count;
    private bool _sending;
    private TaskCompletionSource? _room;
    private Exception? _failure;

    private BrokerStream(Socket socket, Stream inner)
        : base(socket, ownsSocket: false) => _inner = inner;

    /// <summary>A stream in plain.</summary>
    public static BrokerStream Over(Socket socket) => new(socket, new NetworkStream(socket, ownsSocket: false));

    /// <summary>Makes the TLS handshake; throws what <see cref="SslStream"/> throws.</summary>
    public static async Task<BrokerStream> EncryptAsync(Socket socket, SslClientAuthenticationOptions options, CancellationToken limit)
    {
        var raw = new HandshakeStream(socket);
        var tls = new SslStream(raw);
        try
        {
            await tls.AuthenticateAsClientAsync(options, limit);
            raw.IsShaken = true;
            return new BrokerStream(socket, tls);
        }
        catch
        {
            await tls.DisposeAsync();
            throw;
        }
    }

    /// <summary>What the server sent, as far as the client library may see it (<see cref="InboundFrames"/>).</summary>
    /// <exception cref="BrokerProtocolException">The server sent what would harm the library.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(buffer.Length, InboundFrames.MostKeptBack);
        while (true)
        {
            int kept = _inbound.Restore(buffer.Span);
            ValueTask<int> reading = _inner.ReadAsync(buffer[kept..], cancellationToken);
            _readsInARow = reading.IsCompleted ? _readsInARow + 1 : 0;
            bool isQuick = false;
            int count, passed;
            try
            {
                count = await reading;
                passed = count == 0 ? 0 : _inbound.Pass(buffer.Span[..(kept + count)]);
                isQuick = count > 0 && _inbound.HasOnlyAnswers && _readsInARow < MostAtOnce;
            }
            finally
            {
                if (!isQuick)
                {
                    _readsInARow = 0;
                    await Task.Yield();
                }
            }

            if (count == 0 || passed > 0)
            {
                return passed;
            }
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        lock (_gate)
        {
            if (TryGather_NeedsLock(buffer.Span))
            {
                return default;
            }
        }

        return WriteWithRoomAsync(buffer, cancellationToken);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <summary>Nothing to do: what is gathered is on its way.</summary>
    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override void Flush()
    {
        // As FlushAsync.
    }

    public override int Read(Span<byte> buffer) => throw OnlyAsynchronous();

    public override int Read(byte[] buffer, int offset, int count) => throw OnlyAsynchronous();

    public override int ReadByte() => throw OnlyAsynchronous();

    public override IAsyncResult BeginRead(byte[] buffer, int offset, int count, AsyncCallback? callback, object? state) => throw OnlyAsynchronous();

    public override void Write(ReadOnlySpan<byte> buffer) => throw OnlyAsynchronous();

    public override void Write(byte[] buffer, int offset, int count) => throw OnlyAsynchronous();

    public override void WriteByte(byte value) => throw OnlyAsynchronous();

    public override IAsyncResult BeginWrite(byte[] buffer, int offset, int count, AsyncCallback? callback, object? state) => throw OnlyAsynchronous();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _inner.Dispose();
        }

        base.Dispose(disposing);
    }

    private static NotSupportedException OnlyAsynchronous() => new("the stream of a broker is read and written asynchronously");

    /// <summary>False when there is no room, and for what is too large to be copied.</summary>
    private bool TryGather_NeedsLock(ReadOnlySpan<byte> bytes)
    {
        if (_failure is { } failure)
        {
            throw new IOException(failure.Message, failure);
        }

        if (bytes.Length > LargestGathered || bytes.Length > Capacity - _count)
        {
            return false;
        }

        bytes.CopyTo(_gathered.AsSpan(_count));
        _count += bytes.Length;
        bool isAlone = Stopwatch.GetElapsedTime(_writtenAt) > Lull;
        _writtenAt = Stopwatch.GetTimestamp();
        if (!_sending)
        {
            _sending = true;
            _ = isAlone ? SendGatheredAsync() : Task.Run(SendGatheredAsync);
        }

        return true;
    }

    private async ValueTask WriteWithRoomAsync(ReadOnlyMemory<byte> bytes, CancellationToken limit)
    {
        while (true)
        {
            Task room;
            lock (_gate)
            {
                if (TryGather_NeedsLock(bytes.Span))
                {
                    return;
                }

                if (!_sending)
                {
                    break; // all is gone, and this is too large to be gathered: it goes by itself, with nothing to overtake
                }

                room = (_room ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }

            await room.WaitAsync(limit);
        }

        ValueTask writing = _inner.WriteAsync(bytes, limit);
        bool hasGone = writing.IsCompleted;
        try
        {
            await writing;
        }
        finally
        {
            if (!hasGone)
            {
                await Task.Yield();
            }
        }
    }

    /// <summary>Runs while something is gathered. Never fails: the next write tells what was wrong.</summary>
    private async Task SendGatheredAsync()
    {
        try
        {
            while (Next() is { Length: > 0 } part)
            {
                ValueTask writing = _inner.WriteAsync(part);
                bool hasGone = writing.IsCompleted;
                await writing;
                if (!hasGone)
                {
                    await Task.Yield();
                }
            }
        }
        catch (Exception failure) when (failure is IOException or ObjectDisposedException or InvalidOperationException)
        {
            // The connection is gone, or was cut: its loss is noticed by the reader too, and told on its own way.
            lock (_gate)
            {
                _failure = failure;
                _sending = false;
                SignalRoom_NeedsLock();
            }
        }
    }

    private ReadOnlyMemory<byte> Next()
    {
        lock (_gate)
        {
            (_gathered, _leaving) = (_leaving, _gathered);
            ReadOnlyMemory<byte> part = _leaving.AsMemory(0, _count);
            _count = 0;
            _sending = part.Length > 0;
            SignalRoom_NeedsLock();
            return part;
        }
    }

    private void SignalRoom_NeedsLock()
    {
        _room?.SetResult();
        _room = null;
    }
}
