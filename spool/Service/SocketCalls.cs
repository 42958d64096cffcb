using System.Runtime.InteropServices;

namespace Quickq.Spool.Service;

/// <summary>The socket calls of the C library: a producer starts for each message, and .NET's own sockets cost it a millisecond.</summary>
internal static partial class SocketCalls
{
    public const int UnixFamily = 1, Stream = 1, NonBlocking = 0x800, CloseOnExec = 0x80000;
    public const int NoSignal = 0x4000, Peek = 2;
    public const int SocketLevel = 1, PeerCredentials = 17;
    public const int BrokenPipe = 32, ConnectionReset = 104, ConnectionRefused = 111, NotConnected = 107;
    public const short PollIn = 1, PollOut = 4;

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    public static partial int Socket(int family, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "connect", SetLastError = true)]
    public static unsafe partial int Connect(int descriptor, byte* address, uint length);

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    public static unsafe partial nint Send(int descriptor, byte* bytes, nint count, int flags);

    [LibraryImport("libc", EntryPoint = "recv", SetLastError = true)]
    public static unsafe partial nint Receive(int descriptor, byte* bytes, nint count, int flags);

    [LibraryImport("libc", EntryPoint = "getsockopt", SetLastError = true)]
    public static unsafe partial int GetOption(int descriptor, int level, int name, void* value, uint* length);
}
