using System.Buffers;
using System.Globalization;
using System.Net.Sockets;
using Quickq.Spool.Service;

namespace Quickq.SpoolCli.Service;

/// <summary>A frame and the memory that it holds until it is disposed of.</summary>
internal readonly record struct ReceivedFrame(byte Kind, ReadOnlyMemory<byte> Payload, MemoryBudget.Claim Claim);

/// <summary>Reads frames from a peer. Holds no buffer while nothing is there, and never more than was received and the budget allows.</summary>
/// <param name="socket">What it reads from.</param>
/// <param name="arrival">Returns when there is something to read; called while nothing is there between two frames.</param>
/// <param name="budget">What all connections may hold.</param>
/// <param name="uid">The account that it counts for.</param>
/// <param name="clock">The clock.</param>
/// <remarks>One task reads; <see cref="ReceivingSince"/> and <see cref="IsHeldBack"/> may be asked by any thread.</remarks>
internal sealed class FrameReader(Socket socket, Func<ValueTask> arrival, MemoryBudget budget, uint uid, TimeProvider clock)
{
    private const int BufferLength = 32 * 1024, FirstPart = 64 * 1024;

    private byte[]? _buffer;
    private int _start, _end;
    private long _receivingSince;
    private volatile MemoryBudget.Claim? _claim;

    /// <summary>When the first byte of the frame came that is not whole yet, by the clock's timestamp; 0 between frames.</summary>
    public long ReceivingSince => Volatile.Read(ref _receivingSince);

    /// <summary>Whether more has come than the frames that were read. To be asked by the task that reads.</summary>
    public bool HasMore => _start != _end || socket.Available > 0;

    /// <summary>Whether the peer is not read because too much is held.</summary>
    public bool IsHeldBack => _claim is { IsWaiting: true };

    /// <summary>The next frame; null at the end of the peer's stream.</summary>
    /// <exception cref="ProtocolException">Not a frame that a client may send.</exception>
    /// <exception cref="SocketException">The connection is broken.</exception>
    public async ValueTask<ReceivedFrame?> ReadAsync(CancellationToken cancellation)
    {
        byte kind;
        int length;
        if (_start != _end)
        {
            Volatile.Write(ref _receivingSince, clock.GetTimestamp()); // the beginning of the next frame came along with the last
        }

        while (!Frame.TryReadHeader(_buffer.AsSpan(_start, _end - _start), out kind, out length))
        {
            if (!await FillAsync(cancellation))
            {
                return _start == _end ? null : throw CutOff();
            }
        }

        if (!FrameKind.IsFromClient(kind))
        {
            throw new ProtocolException(string.Create(CultureInfo.InvariantCulture, $"unknown kind of frame: 0x{kind:x2}"));
        }

        _start += Frame.HeaderLength;
        MemoryBudget.Claim claim = budget.Open(uid);
        _claim = claim;
        try
        {
            byte[] payload = await ReceiveAsync(length, claim, cancellation);
            claim.Complete();
            Volatile.Write(ref _receivingSince, 0);
            return new ReceivedFrame(kind, payload, claim);
        }
        catch
        {
            claim.Dispose();
            throw;
        }
        finally
        {
            _claim = null;
        }
    }

    private void ReleaseBuffer()
    {
        if (_buffer is { } buffer)
        {
            _buffer = null;
            _start = _end = 0;
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async ValueTask<byte[]> ReceiveAsync(int length, MemoryBudget.Claim claim, CancellationToken cancellation)
    {
        int size = Math.Min(length, FirstPart);
        await claim.GrowAsync(size, cancellation);
        byte[] payload = new byte[size];
        int received = Math.Min(size, _end - _start);
        _buffer.AsSpan(_start, received).CopyTo(payload);
        _start += received;
        while (received < length)
        {
            if (received == payload.Length)
            {
                size = (int)Math.Min(length, payload.Length * 2L);
                await claim.GrowAsync(size - payload.Length, cancellation);
                Array.Resize(ref payload, size);
            }

            // What the buffer still has is the beginning of the rest; large payloads then come without a copy.
            int buffered = Math.Min(payload.Length - received, _end - _start);
            if (buffered > 0)
            {
                _buffer.AsSpan(_start, buffered).CopyTo(payload.AsSpan(received));
                _start += buffered;
            }

            int count = buffered > 0 ? buffered : await socket.ReceiveAsync(payload.AsMemory(received), SocketFlags.None, cancellation);
            if (count == 0)
            {
                throw CutOff();
            }

            received += count;
        }

        return payload;
    }

    /// <summary>Reads what is there behind what is buffered; false at the end of the stream.</summary>
    private async ValueTask<bool> FillAsync(CancellationToken cancellation)
    {
        if (_start == _end)
        {
            ReleaseBuffer();
            Volatile.Write(ref _receivingSince, 0);

            // No buffer is held while there is nothing to read.
            await arrival();
            cancellation.ThrowIfCancellationRequested();
        }

        if (_receivingSince == 0)
        {
            Volatile.Write(ref _receivingSince, clock.GetTimestamp());
        }

        _buffer ??= ArrayPool<byte>.Shared.Rent(BufferLength);
        _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
        (_start, _end) = (0, _end - _start);
        int count = await socket.ReceiveAsync(_buffer.AsMemory(_end), SocketFlags.None, cancellation);
        _end += count;
        return count > 0;
    }

    private static ProtocolException CutOff() => new("the connection ended within a frame");
}
