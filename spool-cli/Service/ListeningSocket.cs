using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Quickq.Spool;
using Quickq.Spool.Files;
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
    private const int NobodyRuns = 0x49, OwnerAlone = 0x7F; // 0111, 0177
    private static readonly TimeSpan EndingServiceDeadline = TimeSpan.FromSeconds(5), LookAgain = TimeSpan.FromMilliseconds(20);

    private readonly FileIdentity? _made;
    private int _lock;

    private ListeningSocket(Socket socket, string path, FileIdentity? made, int lockDescriptor) =>
        (Socket, Path, _made, _lock, IsFromSystemd) = (socket, path, made, lockDescriptor, lockDescriptor < 0);

    public Socket Socket { get; }

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>Whether systemd made it: then it stays when the service ends, and clients wait in it.</summary>
    public bool IsFromSystemd { get; }

    /// <summary>Systemd's socket where it passed one, else one at <paramref name="path"/>.</summary>
    /// <param name="path">The socket. Its folder must be ours or root's alone: in one that others may write they could put another socket there.</param>
    /// <param name="spool">The spool that is served, links followed; its folder must be ours alone.</param>
    /// <param name="forEverybody">Whether every account may connect: rights are checked afterwards. Else only the owner and root.</param>
    /// <param name="clock">The clock.</param>
    /// <exception cref="CommandException">Another service serves there, something else is there, or the socket cannot be made.</exception>
    /// <exception cref="SpoolException">The folder of the spool is not ours alone.</exception>
    public static async Task<ListeningSocket> OpenAsync(string path, string spool, bool forEverybody, TimeProvider clock)
    {
        if (TakeFromSystemd() is { } passed)
        {
            return new ListeningSocket(passed, (passed.LocalEndPoint as UnixDomainSocketEndPoint)?.ToString() ?? path, made: null, lockDescriptor: -1);
        }

        if (StandardTextLength(path) > LongestPath)
        {
            throw new CommandException(ExitCode.Configuration, $"the path of the socket is too long: {path}",
                string.Create(CultureInfo.InvariantCulture, $"name one of at most {LongestPath} bytes with --socket or {SpoolLocator.SocketVariable}"));
        }

        SpoolOwnership.RequireFolder(spool);
        RequireFolder(path);
        RequireReplaceable(path, spool);
        int held = await TakeLockAsync(path, clock);
        try
        {
            // Also where no lock says so: systemd may listen there.
            return IsServed(path) ? throw Served(path) : Make(path, forEverybody, held);
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
            if (FileStatus.FindLink(Path, out _)?.Identity == _made)
            {
                _ = Libc.Unlink(Path);
            }

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

    /// <summary>In a folder that others may write they could exchange what is made here before it is used.</summary>
    private static void RequireFolder(string path)
    {
        string folder = System.IO.Path.GetDirectoryName(path)!;
        if (FileIdentity.Find(folder) is not { IsFolder: true } found)
        {
            throw new CommandException(ExitCode.CannotCreate, $"cannot make the socket {path}: the folder {folder} does not exist", $"mkdir -p {folder}");
        }

        if (found.Owner != 0 && found.Owner != UserAccount.EffectiveId)
        {
            throw new CommandException(ExitCode.NoPermission,
                $"the folder {folder} of the socket belongs to the account {UserAccount.Describe(found.Owner)}", "name a socket in a folder of your own with --socket");
        }

        if (found.IsWritableByOthers)
        {
            throw new CommandException(ExitCode.NoPermission,
                $"the folder {folder} may be written by other accounts: they could replace the socket", $"chmod go-w {folder}, or name another socket with --socket");
        }
    }

    /// <summary>Only a socket that an own service left is replaced.</summary>
    private static void RequireReplaceable(string path, string spool)
    {
        string resolved = SpoolPath.FollowLinks(path);
        if (SpoolOwnership.IsFileOf(spool, resolved) || SpoolOwnership.IsFileOf(spool, resolved + ".lock"))
        {
            throw new CommandException(ExitCode.CannotCreate, $"{path} is a file of the spool {spool}, it cannot be the socket", "name another socket with --socket");
        }

        if (FileStatus.FindLink(path, out _) is { } there && (!there.IsSocket || there.Owner != UserAccount.EffectiveId))
        {
            throw new CommandException(ExitCode.CannotCreate,
                there.IsSocket ? $"the socket {path} belongs to the account {UserAccount.Describe(there.Owner)}" : $"cannot make the socket {path}: what is there is not a socket",
                "remove it, or name another socket with --socket");
        }
    }

    private static ListeningSocket Make(string path, bool forEverybody, int lockDescriptor)
    {
        string draft = System.IO.Path.Combine(System.IO.Path.GetDirectoryName(path)!, string.Create(CultureInfo.InvariantCulture, $".q{Environment.ProcessId}"));
        _ = Libc.Unlink(draft);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            // By the mask, not by a name that may lead elsewhere. Nothing else makes a file at this moment.
            int mask = ServiceNative.SetMask(forEverybody ? NobodyRuns : OwnerAlone);
            try
            {
                socket.Bind(new UnixDomainSocketEndPoint(draft));
            }
            finally
            {
                _ = ServiceNative.SetMask(mask);
            }

            socket.Listen(Backlog);
            FileIdentity? made = FileStatus.FindLink(draft, out _)?.Identity;
            return Libc.Rename(draft, path) == 0 ? new ListeningSocket(socket, path, made, lockDescriptor) : throw new SocketException(Marshal.GetLastPInvokeError());
        }
        catch (Exception exception) when (exception is SocketException or IOException or UnauthorizedAccessException)
        {
            socket.Dispose();
            throw new CommandException(ExitCode.CannotCreate, $"cannot make the socket {path}: {exception.Message}", $"check the permissions of {System.IO.Path.GetDirectoryName(path)}");
        }
    }

    private static int StandardTextLength(string path) => Streams.StandardStreams.Utf8.GetByteCount(path);

    private static CommandException Served(string path) => new(ExitCode.TryLater, $"another service serves on {path}", "stop that one first, or name another socket with --socket");
}
