using System.Runtime.InteropServices;
using System.Text;
using Quickq.Spool.Files;

namespace Quickq.Spool.Service;

/// <summary>A connected UNIX stream socket that never blocks without a deadline.</summary>
internal sealed class ServiceSocket : IDisposable
{
    /// <summary>What <c>sun_path</c> holds, less the zero byte at its end.</summary>
    public const int LongestPath = 107;

    private int _descriptor;

    private ServiceSocket(int descriptor) => _descriptor = descriptor;

    /// <summary>For <c>poll(2)</c> beside other descriptors.</summary>
    public int Descriptor => _descriptor;

    /// <summary>Connects at once or not at all: null, and the error.</summary>
    public static unsafe ServiceSocket? TryConnect(string path, out int error)
    {
        Span<byte> address = stackalloc byte[2 + LongestPath + 1];
        address.Clear();
        MemoryMarshal.Write(address, (ushort)SocketCalls.UnixFamily);
        int length = Encoding.UTF8.GetBytes(path, address[2..^1]);
        int descriptor = SocketCalls.Socket(SocketCalls.UnixFamily, SocketCalls.Stream | SocketCalls.NonBlocking | SocketCalls.CloseOnExec, 0);
        if (descriptor < 0)
        {
            error = Marshal.GetLastPInvokeError();
            return null;
        }

        fixed (byte* start = address)
        {
            if (SocketCalls.Connect(descriptor, start, (uint)(2 + length + 1)) == 0)
            {
                error = 0;
                return new ServiceSocket(descriptor);
            }
        }

        error = Marshal.GetLastPInvokeError();
        _ = Libc.Close(descriptor);
        return null;
    }

    /// <summary>The account that listens, by the kernel's word; null when the kernel does not say.</summary>
    public unsafe uint? PeerUser()
    {
        // struct ucred: the process, the user, the group.
        uint* credentials = stackalloc uint[3];
        uint length = 3 * sizeof(uint);
        return SocketCalls.GetOption(_descriptor, SocketCalls.SocketLevel, SocketCalls.PeerCredentials, credentials, &length) == 0 ? credentials[1] : null;
    }

    /// <summary>Whether the other side is still there and has said nothing: fit for the next request.</summary>
    public unsafe bool IsIdle()
    {
        byte one;
        return SocketCalls.Receive(_descriptor, &one, 1, SocketCalls.Peek) < 0 && Marshal.GetLastPInvokeError() == Libc.TryAgain;
    }

    /// <summary>Sends what fits now; 0 when nothing does.</summary>
    /// <exception cref="ServiceLostException">The other side has closed.</exception>
    public unsafe int TrySend(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            nint sent = SocketCalls.Send(_descriptor, start, bytes.Length, SocketCalls.NoSignal);
            return sent >= 0 ? (int)sent
                : Marshal.GetLastPInvokeError() is Libc.TryAgain or Libc.Interrupted ? 0
                : throw Lost(Marshal.GetLastPInvokeError());
        }
    }

    /// <summary>Sends everything.</summary>
    /// <exception cref="ServiceLostException">The other side has closed, or takes nothing until the deadline.</exception>
    public void Send(ReadOnlySpan<byte> bytes, Deadline deadline)
    {
        while (!bytes.IsEmpty)
        {
            int sent = TrySend(bytes);
            bytes = bytes[sent..];
            if (sent == 0)
            {
                Wait(SocketCalls.PollOut, deadline);
            }
        }
    }

    /// <summary>Receives what is there, waiting for something; 0 at the end.</summary>
    /// <exception cref="ServiceLostException">The connection broke, or nothing came until the deadline.</exception>
    public int Receive(Span<byte> buffer, Deadline deadline)
    {
        int count;
        while ((count = TryReceive(buffer)) < 0)
        {
            Wait(SocketCalls.PollIn, deadline);
        }

        return count;
    }

    /// <summary>Receives what is there: 0 at the end, -1 when nothing is there now.</summary>
    /// <exception cref="ServiceLostException">The connection broke.</exception>
    public unsafe int TryReceive(Span<byte> buffer)
    {
        fixed (byte* start = buffer)
        {
            nint count = SocketCalls.Receive(_descriptor, start, buffer.Length, 0);
            return count >= 0 ? (int)count
                : Marshal.GetLastPInvokeError() is Libc.TryAgain or Libc.Interrupted ? -1
                : throw Lost(Marshal.GetLastPInvokeError());
        }
    }

    /// <summary>Waits until something can be received; false when the time is over first.</summary>
    public bool WaitReadable(Deadline deadline) => Poll(SocketCalls.PollIn, deadline);

    public void Dispose()
    {
        if (_descriptor >= 0)
        {
            _ = Libc.Close(_descriptor);
            _descriptor = -1;
        }
    }

    private void Wait(short events, Deadline deadline)
    {
        if (!Poll(events, deadline))
        {
            throw new ServiceLostException($"no answer within {Duration.Format(deadline.Length)}");
        }
    }

    private unsafe bool Poll(short events, Deadline deadline)
    {
        // Interrupted by a signal, the caller tries again, and comes back here.
        var entry = new Libc.PollDescriptor { Descriptor = _descriptor, Events = events };
        return Libc.Poll(&entry, 1, deadline.LeftMilliseconds()) != 0;
    }

    private static ServiceLostException Lost(int error) => new(error is SocketCalls.BrokenPipe or SocketCalls.ConnectionReset or SocketCalls.NotConnected
        ? "the service closed the connection"
        : Libc.ErrorText(error));
}
