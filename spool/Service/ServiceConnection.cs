using System.Text;
using System.Text.Json;

namespace Quickq.Spool.Service;

/// <summary>One connection to the service: frames out, frames in, and the errors among them as exceptions.</summary>
/// <remarks>Greets with the first request, in one write. Belongs to one thread at a time.</remarks>
internal sealed class ServiceConnection : IDisposable
{
    private const int Gathered = 64 * 1024;

    private static readonly string Client = $"dotnet {typeof(ServiceConnection).Assembly.GetName().Version!.ToString(3)}";

    private readonly SpoolLocation _service;
    private byte[] _received = new byte[4096];
    private int _start;
    private int _end;
    private bool _isGreetingSent;
    private int _version;

    private ServiceConnection(SpoolLocation service, ServiceSocket socket)
    {
        _service = service;
        Socket = socket;
    }

    public ServiceSocket Socket { get; }

    /// <summary>Whether the service has answered the greeting.</summary>
    public bool IsGreeted => _version > 0;

    /// <summary>Connects; says nothing yet.</summary>
    /// <exception cref="SpoolException">Nobody listens, no permission.</exception>
    public static ServiceConnection Open(SpoolLocation service) => new(service, ServiceDialer.Connect(service));

    /// <summary>Sends a request, after the greeting where that was not sent yet.</summary>
    /// <exception cref="ServiceRefusedException">The service refused the connection before it read the request.</exception>
    /// <exception cref="ServiceLostException">The service closed, or takes nothing until the deadline.</exception>
    public void Send(ReadOnlySpan<byte> frames, Deadline deadline)
    {
        try
        {
            if (_isGreetingSent)
            {
                Socket.Send(frames, deadline);
                return;
            }

            byte[] hello = Hello();
            _isGreetingSent = true;
            if (frames.Length <= Gathered)
            {
                Socket.Send([.. hello, .. frames], deadline);
            }
            else
            {
                Socket.Send(hello, deadline);
                Socket.Send(frames, deadline);
            }
        }
        catch (ServiceLostException)
        {
            // A service that refuses a connection says why and closes without reading: the reason may be here already.
            ReadRefusal();
            throw;
        }
    }

    /// <summary>Greets first, and refuses a service that does not speak this version of the protocol: it would ignore what it does not know.</summary>
    /// <exception cref="ServiceRefusedException">The service refused the connection, or is older.</exception>
    /// <exception cref="ServiceLostException">The service closed, or sent nothing until the deadline.</exception>
    public void RequireVersion(int version, Deadline deadline)
    {
        if (!IsGreeted)
        {
            Send([], deadline);
            while (!TryTake(out _, out _) && !IsGreeted)
            {
                if (!Fill(deadline))
                {
                    throw new ServiceLostException("the service closed the connection");
                }
            }
        }

        if (_version < version)
        {
            throw ServiceRefusedException.TooOld();
        }
    }

    /// <summary>The next answer: its kind (<c>j</c> or <c>d</c>) and payload, valid until the next call.</summary>
    /// <exception cref="ServiceRefusedException">The service answered with an error.</exception>
    /// <exception cref="ServiceLostException">The service closed, or sent nothing until the deadline.</exception>
    public ReadOnlySpan<byte> Receive(Deadline deadline, out byte kind)
    {
        ReadOnlySpan<byte> payload;
        while (!TryTake(out kind, out payload))
        {
            if (!Fill(deadline))
            {
                throw new ServiceLostException("the service closed the connection");
            }
        }

        return payload;
    }

    /// <summary>Takes the next answer off what has been received; false when it is not whole yet.</summary>
    public bool TryTake(out byte kind, out ReadOnlySpan<byte> payload)
    {
        while (TryTakeFrame(out kind, out payload))
        {
            if (kind == FrameKind.Error)
            {
                throw ServiceRefusedException.Read(payload, isOfConnection: !IsGreeted);
            }

            if (IsGreeted)
            {
                return true;
            }

            _version = ReadWelcome(kind, payload);
        }

        return false;
    }

    /// <summary>Waits until something has come, or the connection has ended; false when the time is over first.</summary>
    public bool IsReadable(TimeSpan within) => _end > _start || Socket.WaitReadable(new Deadline(within));

    /// <summary>Receives more; false at the end.</summary>
    public bool Fill(Deadline deadline)
    {
        MakeRoom();
        int count = Socket.Receive(_received.AsSpan(_end), deadline);
        _end += count;
        return count > 0;
    }

    public void Dispose() => Socket.Dispose();

    /// <summary>By hand: setting up a serializer costs an <c>add</c> more than its connection.</summary>
    private byte[] Hello()
    {
        string spool = _service.Path is { } path ? $",\"spool\":\"{JsonEncodedText.Encode(path)}\"" : "";
        return Frame.Encode(FrameKind.Hello, Encoding.UTF8.GetBytes($"{{\"protocol\":{ProtocolContext.Version},\"client\":\"{Client}\"{spool}}}"));
    }

    private static int ReadWelcome(byte kind, ReadOnlySpan<byte> payload)
    {
        try
        {
            using JsonDocument welcome = JsonDocument.Parse(kind == FrameKind.Answer ? payload.ToArray() : []);
            if (welcome.RootElement.GetProperty("protocol").GetInt32() is var version and >= 1)
            {
                return version;
            }
        }
        catch (Exception unreadable) when (unreadable is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            // The same as one of no known version.
        }

        throw new ServiceLostException("what answers is not a spool service: it does not greet");
    }

    private void ReadRefusal()
    {
        try
        {
            while (!TryTake(out _, out _) && Fill(new Deadline(TimeSpan.Zero)))
            {
            }
        }
        catch (ServiceLostException)
        {
            // Nothing was said: what made the write fail is the reason.
        }
    }

    private bool TryTakeFrame(out byte kind, out ReadOnlySpan<byte> payload)
    {
        ReadOnlySpan<byte> there = _received.AsSpan(_start.._end);
        payload = default;
        try
        {
            if (!Frame.TryReadHeader(there, out kind, out int length) || there.Length < Frame.HeaderLength + length)
            {
                return false;
            }

            payload = there.Slice(Frame.HeaderLength, length);
            _start += Frame.HeaderLength + length;
            return true;
        }
        catch (ProtocolException invalid)
        {
            throw new ServiceLostException($"what answers is not a spool service: {invalid.Message}");
        }
    }

    private void MakeRoom()
    {
        _received.AsSpan(_start.._end).CopyTo(_received);
        (_start, _end) = (0, _end - _start);
        if (_end == _received.Length)
        {
            Array.Resize(ref _received, _received.Length * 2);
        }
    }
}
