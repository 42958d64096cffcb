using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;

namespace Quickq.Testing.Network;

/// <summary>A relay in front of a node, on a port of its own, that delays what passes, stalls it, or ends it by a reset in the middle of a frame.</summary>
public sealed class BrokerLink : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, FreePort.Next());
    private readonly RabbitNode _node;
    private readonly CancellationTokenSource _ended = new();
    private readonly Task _accepting;
    private TaskCompletionSource _open = Opened();
    private long _delayMilliseconds;
    private long _bytesToReset = long.MaxValue;
    private int _resets;

    public BrokerLink(RabbitNode node)
    {
        _node = node;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>How long everything is on its way, each way.</summary>
    public TimeSpan Delay
    {
        get => TimeSpan.FromMilliseconds(Interlocked.Read(ref _delayMilliseconds));
        set => Interlocked.Exchange(ref _delayMilliseconds, (long)value.TotalMilliseconds);
    }

    /// <summary>How many connections it has reset.</summary>
    public int Resets => Volatile.Read(ref _resets);

    /// <summary>Passes so many bytes more towards the node, and not one beyond; then both sides get a reset.</summary>
    public void ResetAfter(long bytes) => Interlocked.Exchange(ref _bytesToReset, bytes);

    /// <summary>From now on nothing passes either way, while both kernels go on acknowledging.</summary>
    public void Stall() => Volatile.Write(ref _open, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));

    /// <summary>Everything passes again, also what came meanwhile.</summary>
    public void Release() => Volatile.Read(ref _open).TrySetResult();

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        _listener.Stop();
        await _accepting;
        _ended.Dispose();
    }

    private static TaskCompletionSource Opened()
    {
        var open = new TaskCompletionSource();
        open.SetResult();
        return open;
    }

    private async Task AcceptAsync()
    {
        var relays = new List<Task>();
        try
        {
            while (true)
            {
                relays.Add(RelayAsync(await _listener.AcceptSocketAsync(_ended.Token)));
            }
        }
        catch (Exception end) when (end is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }

        await Task.WhenAll(relays);
    }

    private async Task RelayAsync(Socket agent)
    {
        using var node = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        using (agent)
        using (var over = CancellationTokenSource.CreateLinkedTokenSource(_ended.Token))
        {
            try
            {
                await node.ConnectAsync(_node.Host, _node.Port, over.Token);
                var (there, back) = (Channel.CreateUnbounded<(long DueAt, byte[] Bytes)>(), Channel.CreateUnbounded<(long DueAt, byte[] Bytes)>());
                Task[] leaving = [LeaveAsync(agent, there.Writer, over.Token), LeaveAsync(node, back.Writer, over.Token)];
                Task[] arriving = [ArriveAsync(there.Reader, node, counted: true, over.Token), ArriveAsync(back.Reader, agent, counted: false, over.Token)];
                await Task.WhenAny(arriving);

                // That one side ended does not pass a stalled link either.
                await Volatile.Read(ref _open).Task.WaitAsync(over.Token);
                await over.CancelAsync();
                await Task.WhenAll([.. leaving, .. arriving]);
            }
            catch (Exception gone) when (gone is SocketException or OperationCanceledException or ObjectDisposedException)
            {
                // One side went away: both are closed. By a reset, as a box on the way would.
            }

            agent.LingerState = new LingerOption(enable: true, seconds: 0);
            node.LingerState = new LingerOption(enable: true, seconds: 0);
        }
    }

    private async Task LeaveAsync(Socket from, ChannelWriter<(long DueAt, byte[] Bytes)> onTheWay, CancellationToken over)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await from.ReceiveAsync(buffer, over) is var count and > 0)
            {
                onTheWay.TryWrite((Environment.TickCount64 + Interlocked.Read(ref _delayMilliseconds), buffer[..count]));
            }
        }
        finally
        {
            // However it ended: what is on the way arrives, and then this way is over.
            onTheWay.Complete();
        }
    }

    private async Task ArriveAsync(ChannelReader<(long DueAt, byte[] Bytes)> onTheWay, Socket to, bool counted, CancellationToken over)
    {
        await foreach (var (dueAt, bytes) in onTheWay.ReadAllAsync(over))
        {
            if (dueAt - Environment.TickCount64 is var left and > 0)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(left), TimeProvider.System, over);
            }

            await Volatile.Read(ref _open).Task.WaitAsync(over);
            var rest = counted ? Interlocked.Add(ref _bytesToReset, -bytes.Length) : 0;
            if (rest >= 0)
            {
                await to.SendAsync(bytes, over);
                continue;
            }

            await to.SendAsync(bytes.AsMemory(0, (int)Math.Max(0, bytes.Length + rest)), over);
            Interlocked.Exchange(ref _bytesToReset, long.MaxValue);
            Interlocked.Increment(ref _resets);
            throw new SocketException((int)SocketError.ConnectionReset);
        }
    }
}
