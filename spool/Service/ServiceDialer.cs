using System.Text;
using Quickq.Spool.Locking;

namespace Quickq.Spool.Service;

/// <summary>Connects to a service, and says what to do where that is not possible.</summary>
internal static class ServiceDialer
{
    /// <summary>How long to try while the folder is there and nobody listens: a service that restarts, or that systemd starts.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private const int FirstPauseMilliseconds = 2, LongestPauseMilliseconds = 100;

    /// <exception cref="SpoolException">No such socket, nobody listens, no permission.</exception>
    public static ServiceSocket Connect(SpoolLocation service)
    {
        string path = service.Socket!;
        if (Encoding.UTF8.GetByteCount(path) > ServiceSocket.LongestPath)
        {
            throw new SpoolException(SpoolFault.InputOutput, service.Name,
                $"the path of the socket is longer than {ServiceSocket.LongestPath} bytes: {path}", $"set {SpoolLocator.SocketVariable} to a shorter path");
        }

        var deadline = new Deadline(Patience);
        for (int pause = FirstPauseMilliseconds; ; pause = Math.Min(pause * 2, LongestPauseMilliseconds))
        {
            if (ServiceSocket.TryConnect(path, out int error) is { } socket)
            {
                return socket;
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

    private static SpoolException Refused(SpoolLocation service, int error, bool mayCome) => error switch
    {
        _ when mayCome => new SpoolException(SpoolFault.Busy, service.Name,
            $"the spool service does not listen at {service.Socket}; nothing was stored", StartHint(service)),
        Libc.AccessDenied or Libc.NotPermitted => new SpoolException(SpoolFault.PermissionDenied, service.Name,
            $"permission denied: {UserAccount.Describe(UserAccount.EffectiveId)} may not use the spool service at {service.Socket}",
            $"sudo usermod -aG quickq {UserAccount.Describe(UserAccount.EffectiveId)}, then log in again"),
        Libc.NoEntry or Libc.NotAFolder => new SpoolException(SpoolFault.NotFound, service.Name,
            $"there is no spool service at {service.Socket}", $"install Quickq, or name another spool with --spool or {SpoolPath.Variable}"),
        _ => new SpoolException(SpoolFault.InputOutput, service.Name, $"cannot connect to {service.Socket}: {Libc.ErrorText(error)}"),
    };

    private static string StartHint(SpoolLocation service) => service.Socket is SpoolLocator.HostSocket
        ? "sudo systemctl start quickq-spool.socket"
        : $"start it as the owner of the spool: quickq-spool serve{(service.Path is { } spool ? $" --spool {spool}" : "")}";

    private static unsafe void Pause(int milliseconds) => _ = Libc.Poll(null, 0, milliseconds);
}
