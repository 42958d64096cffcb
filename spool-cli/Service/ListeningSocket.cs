using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Quickq.Spool;
using Quickq.Spool.Locking;
using Quickq.SpoolCli.CommandLine;

namespace Quickq.SpoolCli.Service;

/// <summary>The socket that producers connect to: systemd's, or one of our own, which exists exactly while the service listens on it.</summary>
/// <remarks>
/// Of two services that start at once one gets the lock file beside the socket. The socket is made under another name and renamed, so a client never finds one on
/// which nobody listens, unless its service was killed.
/// </remarks>
internal sealed class ListeningSocket : IDisposable
{
    private const int FirstPassedDescriptor = 3, Backlog = 4096, LongestPath = 107;
    private static readonly TimeSpan EndingServiceDeadline = TimeSpan.FromSeconds(5), LookAgain = TimeSpan.FromMilliseconds(20);

    private int _lock;

    private ListeningSocket(Socket socket, string path, int lockDescriptor) => (Socket, Path, _lock, IsFromSystemd) = (socket, path, lockDescriptor, lockDescriptor < 0);

    public Socket Socket { get; }

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>Whether systemd made it: then it stays when the service ends, and clients wait in it.</summary>
    public bool IsFromSystemd { get; }

    /// <summary>Systemd's socket where it passed one, else one at <paramref name="path"/>.</summary>
    /// <param name="path">The socket.</param>
    /// <param name="forEverybody">Whether every account may connect: rights are checked afterwards. Else only the owner and root.</param>
    /// <param name="clock">The clock.</param>
    /// <exception cref="CommandException">Another service serves there, or the socket cannot be made.</exception>
    public static async Task<ListeningSocket> OpenAsync(string path, bool forEverybody, TimeProvider clock)
    {
        if (TakeFromSystemd() is { } passed)
        {
            return new ListeningSocket(passed, (passed.LocalEndPoint as UnixDomainSocketEndPoint)?.ToString() ?? path, lockDescriptor: -1);
        }

        if (StandardTextLength(path) > LongestPath)
        {
            throw new CommandException(ExitCode.Configuration, $"the path of the socket is too long: {path}",
                string.Create(CultureInfo.InvariantCulture, $"name one of at most {LongestPath} bytes with --socket or {SpoolLocator.SocketVariable}"));
        }

        int held = await TakeLockAsync(path, clock);
        try
        {
            // Also where no lock says so: systemd may listen there.
            return IsServed(path) ? throw Served(path) : new ListeningSocket(Make(path, forEverybody), path, held);
        }
        catch
        {
            _ = Libc.Close(held);
            throw;
        }
    }

    /// <summary>Takes the socket away from its path: new clients find none and start another service. Who has connected is still to be accepted.</summary>
    public void Unlink()
    {
        if (_lock >= 0)
        {
            _ = Libc.Unlink(Path);
            _ = Libc.Close(_lock);
            _lock = -1;
        }
    }

    public void Dispose()
    {
        Unlink();
        Socket.Dispose();
    }

    private static Socket? TakeFromSystemd()
    {
        if (!string.Equals(Environment.GetEnvironmentVariable("LISTEN_PID"), Environment.ProcessId.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
            || !int.TryParse(Environment.GetEnvironmentVariable("LISTEN_FDS"), CultureInfo.InvariantCulture, out int count) || count < 1)
        {
            return null;
        }

        _ = ServiceNative.SetFlags(FirstPassedDescriptor, ServiceNative.SetDescriptorFlags, ServiceNative.CloseOnExecFlag);
        return new Socket(new SafeSocketHandle(FirstPassedDescriptor, ownsHandle: true));
    }

    /// <summary>The lock is held while the service lives. One that is about to end may still hold it, with its socket gone: it is waited for.</summary>
    private static async Task<int> TakeLockAsync(string path, TimeProvider clock)
    {
        int descriptor = LockFile.Open(path + ".lock", path);
        for (long start = clock.GetTimestamp(); Libc.Flock(descriptor, Libc.LockExclusive | Libc.LockNonBlocking) != 0;)
        {
            if (IsServed(path) || clock.GetElapsedTime(start) > EndingServiceDeadline)
            {
                _ = Libc.Close(descriptor);
                throw Served(path);
            }

            await Task.Delay(LookAgain, clock);
        }

        return descriptor;
    }

    private static bool IsServed(string path)
    {
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
            return true;
        }
        catch (SocketException exception)
        {
            return exception.SocketErrorCode is SocketError.WouldBlock; // its queue is full
        }
    }

    private static Socket Make(string path, bool forEverybody)
    {
        string draft = System.IO.Path.Combine(System.IO.Path.GetDirectoryName(path)!, string.Create(CultureInfo.InvariantCulture, $".q{Environment.ProcessId}"));
        _ = Libc.Unlink(draft);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            // The mode before binding counts too: nobody else connects in between.
            _ = Libc.ChangeMode((int)socket.Handle, (int)Mode(forEverybody: false));
            socket.Bind(new UnixDomainSocketEndPoint(draft));
            File.SetUnixFileMode(draft, Mode(forEverybody));
            socket.Listen(Backlog);
            if (Libc.Rename(draft, path) != 0)
            {
                throw new SocketException(Marshal.GetLastPInvokeError());
            }

            return socket;
        }
        catch (Exception exception) when (exception is SocketException or IOException or UnauthorizedAccessException)
        {
            socket.Dispose();
            throw new CommandException(ExitCode.CannotCreate, $"cannot make the socket {path}: {exception.Message}", $"check the permissions of {System.IO.Path.GetDirectoryName(path)}");
        }
    }

    private static UnixFileMode Mode(bool forEverybody) => UnixFileMode.UserRead | UnixFileMode.UserWrite | (!forEverybody ? UnixFileMode.None
        : UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite);

    private static int StandardTextLength(string path) => Streams.StandardStreams.Utf8.GetByteCount(path);

    private static CommandException Served(string path) => new(ExitCode.TryLater, $"another service serves on {path}", "stop that one first, or name another socket with --socket");
}
