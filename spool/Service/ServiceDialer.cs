using System.Text;
using Quickq.Spool.Files;

namespace Quickq.Spool.Service;

/// <summary>Connects to a service, and says what to do where that is not possible.</summary>
internal static class ServiceDialer
{
    /// <summary>How long to try while the folder is there and nobody listens: a service that restarts, or that systemd starts.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private const int FirstPauseMilliseconds = 2, LongestPauseMilliseconds = 100;

    /// <exception cref="SpoolException">No such socket, nobody listens, no permission; or others than the owner of the spool could listen, or do.</exception>
    public static ServiceSocket Connect(SpoolLocation service)
    {
        string path = service.Socket!;
        if (Encoding.UTF8.GetByteCount(path) > ServiceSocket.LongestPath)
        {
            throw new SpoolException(SpoolFault.InputOutput, service.Name,
                $"the path of the socket is longer than {ServiceSocket.LongestPath} bytes: {path}", $"set {SpoolLocator.SocketVariable} to a shorter path");
        }

        FileStatus? folder = FileStatus.Find(Path.GetDirectoryName(path) ?? "/", out _);
        RequireTight(service, folder);
        var deadline = new Deadline(Patience);
        for (int pause = FirstPauseMilliseconds; ; pause = Math.Min(pause * 2, LongestPauseMilliseconds))
        {
            if (ServiceSocket.TryConnect(path, out int error) is { } socket)
            {
                return OfOwner(service, socket, folder);
            }

            if (error is SocketCalls.ConnectionRefused && FileStatus.Find(path, out _) is { IsSocket: false })
            {
                throw new SpoolException(SpoolFault.NotFound, service.Name, $"there is no spool service: {path} is not a socket",
                    Environment.GetEnvironmentVariable(SpoolLocator.SocketVariable) is { Length: > 0 } ? $"set {SpoolLocator.SocketVariable} to the socket of a service" : $"remove {path}");
            }

            bool mayCome = error is SocketCalls.ConnectionRefused or Libc.TryAgain or Libc.Interrupted
                || (error is Libc.NoEntry && Directory.Exists(Path.GetDirectoryName(path)));
            if (!mayCome || deadline.LeftMilliseconds() == 0)
            {
                throw Refused(service, error, mayCome);
            }

            Pause(pause);
        }
    }

    /// <summary>In a folder that others may write, anybody can put a socket that takes the messages.</summary>
    private static void RequireTight(SpoolLocation service, FileStatus? folder)
    {
        if (folder is { IsFolder: true, IsWritableByOthers: true })
        {
            string name = Path.GetDirectoryName(service.Socket)!;
            throw new SpoolException(SpoolFault.PermissionDenied, service.Name,
                $"the folder {name} may be written by other accounts: they could take the place of the spool service", $"its owner types: chmod go-w {name}");
        }
    }

    /// <summary>Messages are for root (systemd listens for the service), for the owner of the folder of the socket or of the spool, and for this account itself.</summary>
    /// <remarks>Where the socket alone is mounted, as into a container, for its owner: only who rules over the mounts can put it there.</remarks>
    private static ServiceSocket OfOwner(SpoolLocation service, ServiceSocket socket, FileStatus? folder)
    {
        uint? peer = socket.PeerUser();
        if (peer == 0 || peer == UserAccount.EffectiveId || (peer is not null && peer == folder?.Owner))
        {
            return socket;
        }

        string? spool = service.Path ?? (service.Socket is SpoolLocator.HostSocket ? SpoolPath.Default : null);
        uint? owner = spool is null ? null : FileStatus.Find(Path.GetDirectoryName(spool) ?? "/", out _)?.Owner;
        bool isMountedHere = FileStatus.Find(service.Socket!, out _) is { } file && file.Owner == peer && (file.IsMountPoint ?? MountTable.Contains(service.Socket!));
        if (isMountedHere || (peer is not null && peer == owner))
        {
            return socket;
        }

        socket.Dispose();
        string runsAs = peer is { } known ? $"as {UserAccount.Describe(known)}" : "as an account that the kernel does not name";
        throw new SpoolException(SpoolFault.PermissionDenied, service.Name,
            $"the service of {service.Name} runs {runsAs}, not as the owner{((owner ?? folder?.Owner) is { } named ? $" {UserAccount.Describe(named)}" : "")}; nothing was sent",
            $"look who put the socket there: ls -l {service.Socket}");
    }

    private static SpoolException Refused(SpoolLocation service, int error, bool mayCome) => error switch
    {
        _ when mayCome => new SpoolException(SpoolFault.Busy, service.Name,
            $"the spool service does not listen at {service.Socket}; nothing was stored", StartHint(service)),
        Libc.AccessDenied or Libc.NotPermitted => new SpoolException(SpoolFault.PermissionDenied, service.Name,
            $"permission denied: {UserAccount.Describe(UserAccount.EffectiveId)} may not use the spool service at {service.Socket}",
            service.Socket is SpoolLocator.HostSocket ? $"sudo usermod -aG quickq {UserAccount.Describe(UserAccount.EffectiveId)}, then log in again"
                : $"run it as the owner of the spool, or join the group of its service ('ls -l {service.Socket}')"),
        Libc.NoEntry or Libc.NotAFolder => new SpoolException(SpoolFault.NotFound, service.Name,
            $"there is no spool service at {service.Socket}", $"install Quickq, or name another spool with --spool or {SpoolPath.Variable}"),
        _ => new SpoolException(SpoolFault.InputOutput, service.Name, $"cannot connect to {service.Socket}: {Libc.ErrorText(error)}"),
    };

    private static string StartHint(SpoolLocation service) => service.Socket is SpoolLocator.HostSocket
        ? "sudo systemctl start quickq-spool.socket"
        : $"start it as the owner of the spool: quickq-spool serve{(service.Path is { } spool ? $" --spool {spool}" : "")}";

    private static unsafe void Pause(int milliseconds) => _ = Libc.Poll(null, 0, milliseconds);
}
