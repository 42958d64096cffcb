using System.Net.Sockets;
using System.Runtime.InteropServices;
using Quickq.Spool;
using Quickq.Spool.Systemd;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Service;

/// <summary>What <c>serve</c> was told.</summary>
/// <param name="Spool">The spool; it need not exist.</param>
/// <param name="Socket">The socket to listen on, unless systemd passes one.</param>
/// <param name="Access">Who may do what.</param>
/// <param name="Idle">How long after the last connection the service ends; null: never.</param>
internal sealed record ServerOptions(string Spool, string Socket, AccessRules Access, TimeSpan? Idle)
{
    /// <summary>The spool as the service was told it, a link not followed: so a client names it that may not look into its folder.</summary>
    public required string SpoolAsNamed { get; init; }
}

/// <summary>The spool service: accepts connections until it is told to stop, or is idle for long enough. Whatever is wrong with the spool is an answer, never its end.</summary>
internal sealed class SpoolServer : IDisposable
{
    /// <summary>How long a stop waits for what was received.</summary>
    public static readonly TimeSpan StopDeadline = TimeSpan.FromSeconds(6);

    private const int SpareDescriptors = 128;
    private static readonly TimeSpan CommitDeadline = StopDeadline - TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SlowDisk = TimeSpan.FromMinutes(5), SlowAccept = TimeSpan.FromSeconds(30), AcceptAgain = TimeSpan.FromMilliseconds(100), QuietFor = TimeSpan.FromSeconds(10);

    private readonly ServerOptions _options;
    private readonly ListeningSocket _listener;
    private readonly ServiceLog _log;
    private readonly TimeProvider _clock;
    private readonly AccountNames _names;
    private readonly ConnectionRegistry _connections;
    private readonly ServerContext _context;
    private readonly LoopLiveness _accepting;
    private readonly WatchdogNotifier _watchdog;
    private readonly SystemdNotice _notice;
    private readonly ITimer _idle, _release;
    private readonly TaskCompletionSource<string> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stopAccepting = new();

    public SpoolServer(ServerOptions options, ListeningSocket listener, SystemdNotice notice, ServiceLog log, TimeProvider clock)
    {
        (_options, _listener, _notice, _log, _clock) = (options, listener, notice, log, clock);
        _names = new AccountNames(clock);
        _accepting = new LoopLiveness(SlowAccept, clock);
        var writing = new LoopLiveness(SlowDisk, clock);
        var readers = new SpoolReaders(options.Spool);
        var commits = new CommitQueue(options.Spool, log, writing, clock);
        _context = new ServerContext(options.Spool, options.SpoolAsNamed, new ReadWatch(), new MemoryBudget(), commits, new WaitRoom(options.Spool, readers, log), readers,
            new CommandRunner(options.Spool, options.Access, _names, log, clock), log, clock);
        _connections = new ConnectionRegistry(MostConnections(), Quiet, commits.Expire, clock);
        _watchdog = new WatchdogNotifier(notice, [("the writer", writing), ("accepting", _accepting)], log, clock);
        _release = clock.CreateTimer(_ => ReleaseMemory(), state: null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _idle = clock.CreateTimer(_ => EndIfIdle(), state: null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Serves until <paramref name="stop"/>, or until it is idle.</summary>
    public async Task RunAsync(Task stop)
    {
        Task accepting = AcceptAsync();
        _log.Serves(_options.Spool, _listener.Path);
        _notice.Ready();
        Quiet();
        await Task.WhenAny(stop, _ended.Task);
        string reason = _ended.Task.IsCompleted ? await _ended.Task : "told to stop";
        _log.Stops(reason);
        _notice.Stopping();
        if (!stop.IsCompleted)
        {
            // Who found the socket before it went is served to the end, unless somebody is in a hurry.
            await Task.WhenAny(EndQuietlyAsync(accepting), stop);
            if (!stop.IsCompleted)
            {
                return;
            }
        }

        try
        {
            await FinishAsync(accepting).WaitAsync(StopDeadline, _clock);
        }
        catch (TimeoutException)
        {
            _log.StopsUnfinished(StopDeadline);
        }
    }

    public void Dispose()
    {
        _idle.Dispose();
        _release.Dispose();
        _watchdog.Dispose();
        _connections.Dispose();
        _context.Readers.Dispose();
    }

    /// <summary>Nobody is connected: the socket goes, then the service, with whoever came in between.</summary>
    private async Task EndQuietlyAsync(Task accepting)
    {
        _listener.Unlink();
        while (!_listener.IsFromSystemd && IsSomebodyWaiting())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(1), _clock);
        }

        _stopAccepting.Cancel();
        await accepting;
        await _connections.EmptyAsync();
        await _context.Commits.StopAsync();
    }

    /// <summary>Reads no more, and answers what was received.</summary>
    private async Task FinishAsync(Task accepting)
    {
        _listener.Unlink();
        _stopAccepting.Cancel();
        await accepting;
        _context.Commands.EndAll(); // first: that nothing more is read is no end of a command's input
        _connections.StopReading();
        _context.Waits.Stop();
        Task empty = _connections.EmptyAsync();
        if (await Task.WhenAny(empty, Task.Delay(CommitDeadline, _clock)) != empty)
        {
            _context.Commits.RefuseAll(); // the lock or the disk is held up: better a clear answer than none
        }

        await empty;
        await _context.Commits.StopAsync();
    }

    private async Task AcceptAsync()
    {
        bool cannotAccept = false;
        while (true)
        {
            _accepting.Rests();
            Socket socket;
            try
            {
                socket = await _listener.Socket.AcceptAsync(_stopAccepting.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (SocketException exception) when (exception.SocketErrorCode is SocketError.ConnectionAborted)
            {
                continue; // it left before its turn came
            }
            catch (SocketException exception)
            {
                if (!cannotAccept)
                {
                    _log.CannotAccept(exception.Message); // no descriptor, no memory: both come back
                }

                cannotAccept = true;
                await Task.Delay(AcceptAgain, _clock);
                continue;
            }

            cannotAccept = false;
            _accepting.Works();
            Welcome(socket);
        }
    }

    private void Welcome(Socket socket)
    {
        Connection connection;
        bool isPrivileged;
        try
        {
            socket.Blocking = false;
            Peer peer = Peer.Of(socket);
            isPrivileged = _options.Access.IsPrivileged(peer);
            connection = new Connection(socket, peer, _options.Access.RightsOf(peer), _context);
        }
        catch (SocketException)
        {
            socket.Dispose(); // it left already
            return;
        }

        if (!_connections.TryAdd(connection, isPrivileged))
        {
            using (connection)
            {
                connection.Answers.Reserve().Complete(Answers.Error(ExitCode.TryLater, "Busy", "the spool service has too many connections", "close connections that are not in use, or try later"));
            }

            return;
        }

        _idle.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _release.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _ = ServeAsync(connection);
    }

    private async Task ServeAsync(Connection connection)
    {
        try
        {
            await Task.Yield(); // the accept loop goes on
            if (connection.Rights == PeerRights.None)
            {
                string name = await _names.DescribeAsync(connection.Peer.Uid);
                await connection.RefuseAsync(Answers.Error(ExitCode.NoPermission, "PermissionDenied", _options.Access.Refusal(name), _options.Access.UseHint(name)));
            }
            else
            {
                await connection.RunAsync();
            }
        }
        finally
        {
            connection.Dispose();
            _connections.Remove(connection);
        }
    }

    /// <summary>What serving took goes back to the system.</summary>
    private void ReleaseMemory()
    {
        _context.Readers.CloseIdle();
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
    }

    /// <summary>The last connection has left, or there was none yet.</summary>
    private void Quiet()
    {
        _release.Change(QuietFor, Timeout.InfiniteTimeSpan);
        if (_options.Idle is { } idle)
        {
            _idle.Change(idle, Timeout.InfiniteTimeSpan);
        }
    }

    private void EndIfIdle()
    {
        if (_connections.Count == 0)
        {
            if (_context.Commits.IsBusy)
            {
                _idle.Change(TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan);
            }
            else
            {
                _ended.TrySetResult($"idle for {Duration.Format(_options.Idle!.Value)}");
            }
        }
    }

    private unsafe bool IsSomebodyWaiting()
    {
        var entry = new Native.PollEntry { Descriptor = (int)_listener.Socket.Handle, Events = Native.PollIn };
        return Native.Poll(&entry, 1, 0) > 0;
    }

    /// <summary>As many as there are descriptors for; the soft limit of 1,024 that shells have is raised.</summary>
    private static int MostConnections()
    {
        if (ServiceNative.GetLimit(ServiceNative.OpenFilesLimit, out ServiceNative.Limit limit) != 0)
        {
            return ConnectionRegistry.Most;
        }

        ulong wanted = Math.Min(ConnectionRegistry.Most + SpareDescriptors, limit.Hard);
        if (limit.Soft < wanted && ServiceNative.SetLimit(ServiceNative.OpenFilesLimit, new ServiceNative.Limit { Soft = wanted, Hard = limit.Hard }) == 0)
        {
            limit.Soft = wanted;
        }

        return (int)Math.Clamp((long)Math.Min(limit.Soft, int.MaxValue) - SpareDescriptors, ConnectionRegistry.KeptForOwner + 1, ConnectionRegistry.Most);
    }
}
