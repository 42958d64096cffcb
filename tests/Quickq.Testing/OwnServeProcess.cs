using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Quickq.Testing;

/// <summary>The real spool service on one spool, its socket beside the spool: it can be stopped, killed and frozen.</summary>
public sealed class OwnServeProcess : IDisposable
{
    private const int SocketLevel = 1;
    private const int PeerCredentials = 17;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private readonly ChildProcess _child;

    private OwnServeProcess(ChildProcess child) => _child = child;

    public int Pid => _child.Pid;

    public bool HasExited => _child.HasExited;

    /// <summary>Its log so far.</summary>
    public string Stderr => _child.Stderr;

    /// <summary>Where the service of a spool listens.</summary>
    public static string SocketOf(string spoolPath) => Path.Combine(Path.GetDirectoryName(spoolPath)!, "spool.sock");

    /// <summary>Starts it and returns when it listens.</summary>
    /// <param name="spoolPath">The spool.</param>
    /// <param name="within">A program with its arguments that becomes the service at last (strace, prlimit); none starts it directly.</param>
    public static async Task<OwnServeProcess> StartAsync(string spoolPath, params string[] within)
    {
        var service = Begin(spoolPath, within);
        await service.AwaitListeningAsync(spoolPath);
        return service;
    }

    /// <summary>Starts it and does not wait.</summary>
    public static OwnServeProcess Begin(string spoolPath, params string[] within)
    {
        string[] all = [.. within, BuiltPrograms.SpoolCli, "serve", "--spool", spoolPath];
        var child = ChildProcess.Start(all[0], all[1..]);
        child.Stdin.Close();
        return new OwnServeProcess(child);
    }

    /// <summary>SIGTERM; gives the exit code.</summary>
    public Task<int> StopAsync() => _child.StopAsync(Limit);

    /// <summary>kill -9.</summary>
    public void Kill() => _child.Kill();

    /// <inheritdoc cref="ChildProcess.PauseAsync"/>
    public Task PauseAsync() => _child.PauseAsync();

    public void Resume() => _child.Resume();

    public void Dispose() => _child.Dispose();

    private Task AwaitListeningAsync(string spoolPath) => Eventually.Closely($"the service of {spoolPath} listens", Limit, () =>
        FindListener(spoolPath) is not null || (_child.HasExited ? throw new InvalidOperationException($"exit {_child.ExitCode}: {_child.Stderr}") : false));

    /// <summary>The process that listens on the socket beside a spool, if any.</summary>
    public static int? FindListener(string spoolPath)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(SocketOf(spoolPath)));
        }
        catch (SocketException)
        {
            return null; // nobody listens there
        }

        // struct ucred: pid, uid, gid, as they were when the socket began to listen.
        Span<byte> credentials = stackalloc byte[12];
        socket.GetRawSocketOption(SocketLevel, PeerCredentials, credentials);
        return MemoryMarshal.Read<int>(credentials);
    }
}
