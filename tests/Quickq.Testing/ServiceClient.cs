using System.Buffers.Binary;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Quickq.Testing;

/// <summary>A client of the spool service that says exactly what a test wants: frames as docs/spool-protocol.md has them, written apart from the product's code.</summary>
public sealed partial class ServiceClient : IDisposable
{
    private const int SetGroups = 116, SetUser = 117, SetGroup = 119; // setgroups, setresuid, setresgid of x86-64

    private ServiceClient(Socket socket)
    {
        Socket = socket;
        Socket.ReceiveTimeout = 60_000;
        Socket.SendTimeout = 60_000;
    }

    public Socket Socket { get; }

    public static ServiceClient Connect(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(path));
        return new ServiceClient(socket);
    }

    /// <summary>Connects as another account: one thread takes its ids, and the kernel remembers those of the connecting thread. Needs root.</summary>
    public static ServiceClient ConnectAs(string path, uint uid, uint gid, params uint[] groups)
    {
        ServiceClient? client = null;
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                Become(uid, gid, groups);
                client = Connect(path);
            }
            catch (Exception exception) when (exception is SocketException or InvalidOperationException)
            {
                failure = exception;
            }
        });
        thread.Start();
        thread.Join();
        return client ?? throw failure!;
    }

    /// <summary>Says hello; the answer.</summary>
    public JsonElement Greet()
    {
        Send('h', """{"protocol":1}""");
        return ReadAnswer();
    }

    public void Send(char kind, string json) => Send(kind, Encoding.UTF8.GetBytes(json));

    public void Send(char kind, ReadOnlySpan<byte> payload) => SendBytes(Frame(kind, payload));

    public void SendBytes(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[Socket.Send(bytes)..];
        }
    }

    /// <summary>Asks for messages to be stored, without waiting for the answer.</summary>
    public void Add(params (string Id, string Body)[] messages) => Send('a', AddPayload(messages));

    /// <summary>The next frame.</summary>
    public (char Kind, byte[] Payload) Read()
    {
        var length = BinaryPrimitives.ReadUInt32BigEndian(Exactly(4));
        var frame = Exactly((int)length);
        return ((char)frame[0], frame[1..]);
    }

    /// <summary>The next frame, which must be an answer.</summary>
    public JsonElement ReadAnswer()
    {
        var (kind, payload) = Read();
        return kind == 'j' ? Parse(payload) : throw new InvalidOperationException($"not an answer: {kind} {Encoding.UTF8.GetString(payload)}");
    }

    /// <summary>The next frame, which must be an error; its exit code and text.</summary>
    public (int Code, string Text) ReadError()
    {
        var (kind, payload) = Read();
        var text = Encoding.UTF8.GetString(payload);
        return kind == 'e' ? (Parse(payload).GetProperty("code").GetInt32(), text) : throw new InvalidOperationException($"not an error: {kind} {text}");
    }

    /// <summary>Whether the service has closed the connection, once everything that it sent is read.</summary>
    public bool IsAtEnd()
    {
        try
        {
            return Socket.Receive(new byte[1]) == 0;
        }
        catch (SocketException exception)
        {
            return exception.SocketErrorCode == SocketError.ConnectionReset;
        }
    }

    /// <summary>Runs a command without input: its exit code, output and error output.</summary>
    public CommandResult Run(params string[] arguments)
    {
        Send('r', JsonSerializer.Serialize(new { arguments, terminals = new[] { false, false, false } }));
        Send('d', [0]);
        return ReadCommand();
    }

    /// <summary>The next frame that is an answer or an error.</summary>
    public (char Kind, byte[] Payload) ReadEnd()
    {
        while (true)
        {
            if (Read() is (not 'd', _) end)
            {
                return end;
            }
        }
    }

    /// <summary>What the running command writes until it ends.</summary>
    public CommandResult ReadCommand()
    {
        var (output, error) = (new MemoryStream(), new MemoryStream());
        while (true)
        {
            switch (Read())
            {
                case ('d', [1, .. var bytes]):
                    output.Write(bytes);
                    break;
                case ('d', [2, .. var bytes]):
                    error.Write(bytes);
                    break;
                case ('j', var end):
                    return new CommandResult(Parse(end).GetProperty("code").GetInt32(), Encoding.UTF8.GetString(output.ToArray()), Encoding.UTF8.GetString(error.ToArray()));
                case var (kind, payload):
                    throw new InvalidOperationException($"unexpected frame {kind}: {Encoding.UTF8.GetString(payload)}");
            }
        }
    }

    public void Dispose() => Socket.Dispose();

    public static byte[] Frame(char kind, ReadOnlySpan<byte> payload)
    {
        var frame = new byte[5 + payload.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, payload.Length + 1);
        frame[4] = (byte)kind;
        payload.CopyTo(frame.AsSpan(5));
        return frame;
    }

    public static byte[] AddPayload(params (string Id, string Body)[] messages)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(messages.Select(message => new { id = message.Id, body = Encoding.UTF8.GetByteCount(message.Body) }));
        var payload = new MemoryStream();
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, json.Length);
        payload.Write(length);
        payload.Write(json);
        foreach (var (_, body) in messages)
        {
            payload.Write(Encoding.UTF8.GetBytes(body));
        }

        return payload.ToArray();
    }

    private byte[] Exactly(int count)
    {
        var bytes = new byte[count];
        for (var received = 0; received < count;)
        {
            var now = Socket.Receive(bytes.AsSpan(received));
            received += now > 0 ? now : throw new EndOfStreamException($"the service closed the connection after {received} of {count} bytes");
        }

        return bytes;
    }

    private static JsonElement Parse(byte[] json) => JsonDocument.Parse(json).RootElement;

    // By the bare system calls: those of the C library change all threads.
    private static unsafe void Become(uint uid, uint gid, uint[] groups)
    {
        fixed (uint* pointer = groups)
        {
            if (Call(SetGroups, groups.Length, (nint)pointer, 0) != 0 || Call(SetGroup, (nint)gid, (nint)gid, (nint)gid) != 0 || Call(SetUser, (nint)uid, (nint)uid, (nint)uid) != 0)
            {
                throw new InvalidOperationException($"cannot become uid {uid}: errno {Marshal.GetLastPInvokeError()}; run the tests as root");
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint Call(nint number, nint first, nint second, nint third);
}
