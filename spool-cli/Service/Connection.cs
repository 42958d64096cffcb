using System.Net.Sockets;
using Quickq.Spool.Service;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Service;

/// <summary>One peer from accept to close, and the deadlines that end it.</summary>
internal sealed class Connection : IDisposable
{
    /// <summary>How long a frame may take from its first byte to its last, and an answer until the peer has read it.</summary>
    public static readonly TimeSpan FrameDeadline = TimeSpan.FromSeconds(30);

    /// <summary>How long a peer may say nothing while it waits for nothing; and how long it may leave the output of a command unread.</summary>
    public static readonly TimeSpan IdleDeadline = TimeSpan.FromMinutes(10);

    private readonly Socket _socket;
    private readonly ServerContext _server;
    private readonly ReadWatch.Subject _watch;
    private readonly FrameReader _reader;
    private readonly CancellationTokenSource _closed = new();
    private long _activeAt;
    private int _isRefused;
    private volatile MemoryBudget.Claim? _current;

    public Connection(Socket socket, Peer peer, PeerRights rights, ServerContext server)
    {
        (_socket, Peer, Rights, _server) = (socket, peer, rights, server);
        _watch = server.Watch.Watch(socket);
        _reader = new FrameReader(socket, () => _watch.WaitAsync(MayLinger), server.Budget, peer.Uid, server.Clock);
        Answers = new AnswerQueue(socket, Close, server.Clock);
        _activeAt = server.Clock.GetTimestamp();
    }

    public Peer Peer { get; }

    public PeerRights Rights { get; }

    public AnswerQueue Answers { get; }

    /// <summary>Is cancelled when the connection is closed: whoever works for it stops.</summary>
    public CancellationToken Closed => _closed.Token;

    /// <summary>Whether more has come than was read.</summary>
    public bool HasMore => _reader.HasMore;

    /// <summary>Set while the peer is likely to send the next request as soon as it has the answer: one such connection is then waited for without a change of threads.</summary>
    public bool MayLinger { get; set; }

    /// <summary>Set when the peer has said hello.</summary>
    public bool IsGreeted { get; set; }

    /// <summary>Set while a command of this connection runs, whose output may stay unread for longer than an answer.</summary>
    public bool RunsCommand { get; set; }

    /// <summary>Whether it waits for an answer, or a command of its runs.</summary>
    public bool IsBusy => Answers.IsBusy || RunsCommand;

    /// <summary>When its last frame came, or it connected, by the clock's timestamp.</summary>
    public long ActiveAt => Volatile.Read(ref _activeAt);

    /// <summary>Serves the peer until it leaves, breaks a rule or a deadline, or the service stops.</summary>
    public async Task RunAsync()
    {
        try
        {
            await new Conversation(this, _server).RunAsync();
            await Answers.EmptyAsync();
        }
        catch (ProtocolException exception)
        {
            await SayLastAsync(Service.Answers.Error(exception));
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException or OperationCanceledException or IOException)
        {
            // The peer left, or the sweep closed the connection: there is nobody to tell.
        }
        catch (Exception exception) // a fault of ours ends this connection, not the others
        {
            _server.Log.InternalError(exception);
            await SayLastAsync(Service.Answers.Internal());
        }
    }

    /// <summary>The next frame; null at the end of the peer's stream.</summary>
    public async ValueTask<ReceivedFrame?> ReadAsync()
    {
        ReceivedFrame? frame = await _reader.ReadAsync(_closed.Token);
        Volatile.Write(ref _activeAt, _server.Clock.GetTimestamp());
        _current = frame?.Claim; // should it be dropped on the way to an answer: given back when the connection ends
        return frame;
    }

    /// <summary>Reads no more; what was received whole is still answered.</summary>
    public void StopReading()
    {
        try
        {
            _socket.Shutdown(SocketShutdown.Receive);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // It is closed already.
        }
    }

    /// <summary>Looks at the deadlines; called about once a second.</summary>
    public void Sweep()
    {
        TimeProvider clock = _server.Clock;
        if (_reader.ReceivingSince is var receiving && receiving != 0 && clock.GetElapsedTime(receiving) > FrameDeadline)
        {
            _ = RefuseAsync(_reader.IsHeldBack
                ? Service.Answers.Error(ExitCode.TryLater, "Busy", "the spool service holds too many unfinished requests", "try later, or send smaller requests")
                : Service.Answers.Error(new ProtocolException($"a frame was not complete within {FrameDeadline.TotalSeconds:0} s")));
        }
        else if (Answers.UnreadSince is var unread && unread != 0 && clock.GetElapsedTime(unread) > (RunsCommand ? IdleDeadline : FrameDeadline))
        {
            Close(new IOException("a deadline is over"));
        }
        else if (!IsBusy)
        {
            if (clock.GetElapsedTime(ActiveAt) > (IsGreeted ? IdleDeadline : FrameDeadline))
            {
                Close(new IOException("a deadline is over"));
            }
        }
        else if (HasPeerLeft())
        {
            Close(new IOException("the peer left"));
        }
    }

    /// <summary>Closes it at once. Any thread, any number of times.</summary>
    public void Close(Exception reason)
    {
        _closed.Cancel();
        Answers.Abandon(reason);
        _watch.Dispose();
        _socket.Dispose();
    }

    public void Dispose()
    {
        Close(new ObjectDisposedException(nameof(Connection)));
        _current?.Dispose();
    }

    /// <summary>Says this as the last word, and closes.</summary>
    public async Task RefuseAsync(byte[] error)
    {
        if (Interlocked.Exchange(ref _isRefused, 1) != 0)
        {
            return;
        }

        await SayLastAsync(error);
        Close(new IOException("a deadline is over"));
    }

    private async Task SayLastAsync(byte[] error)
    {
        try
        {
            // Behind the answers that are due: the commits take 30 s at most, a wait may take for ever.
            await Answers.SendAsync(error).WaitAsync(FrameDeadline, _server.Clock);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException or OperationCanceledException or IOException or TimeoutException)
        {
            // It left without hearing it.
        }
    }

    /// <summary>Both ways are shut: seen also while nothing is read, as a read would show it.</summary>
    private unsafe bool HasPeerLeft()
    {
        try
        {
            var entry = new Native.PollEntry { Descriptor = (int)_socket.Handle };
            return Native.Poll(&entry, 1, 0) > 0 && (entry.Returned & ServiceNative.HungUp) != 0;
        }
        catch (ObjectDisposedException)
        {
            return false;
        }
    }
}
