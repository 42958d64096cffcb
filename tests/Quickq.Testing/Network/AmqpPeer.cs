using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Quickq.Testing.Network;

/// <summary>Where a broker has the word.</summary>
public enum AmqpPoint
{
    /// <summary>The client has said "AMQP 0-9-1".</summary>
    Start,

    /// <summary>It has given user and password.</summary>
    Tune,

    /// <summary>It has named the virtual host.</summary>
    OpenOk,

    /// <summary>It wants a channel.</summary>
    ChannelOpenOk,

    /// <summary>It wants confirms.</summary>
    ConfirmSelectOk,

    /// <summary>It has published one message, whole.</summary>
    Published,
}

/// <summary>What a peer does after it has spoken.</summary>
public enum AmqpThen
{
    /// <summary>It goes on as a broker does.</summary>
    GoOn,

    /// <summary>It never reads again, and says nothing more.</summary>
    StopReading,

    /// <summary>It closes the connection, by a reset where the client has sent more.</summary>
    HangUp,

    /// <summary>It says the same again and again, as fast as the client reads.</summary>
    SayWithoutEnd,
}

/// <summary>What a peer says at one point instead of what a broker would: nothing where it is empty.</summary>
public sealed record AmqpMove(byte[] Says, AmqpThen Then = AmqpThen.GoOn);

/// <summary>
/// A server that speaks AMQP as RabbitMQ does, confirms everything and keeps nothing, and departs from it where a test says so: one line for each fault,
/// <c>peer.Moves = { [AmqpPoint.Tune] = new(AmqpFrames.Tune(frameMax: 1)) }</c>. For what a real broker never does.
/// </summary>
public sealed class AmqpPeer : IAsyncDisposable
{
    private readonly Socket _listener;
    private readonly CancellationTokenSource _over = new();
    private readonly Task _accepting;
    private int _conversations;
    private int _published;

    /// <param name="inside">The network that it listens in, if it is not the machine's.</param>
    public AmqpPeer(NetworkNamespace? inside = null)
    {
        Port = FreePort.Next();
        _listener = inside?.OpenSocket(AddressFamily.InterNetwork, SocketType.Stream) ?? new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, Port));
        _listener.Listen();
        _accepting = AcceptAsync();
    }

    public int Port { get; }

    /// <summary>What it does from now on.</summary>
    public IDictionary<AmqpPoint, AmqpMove> Moves { get; } = new ConcurrentDictionary<AmqpPoint, AmqpMove>();

    /// <summary>Asked at the beginning of each conversation for its moves, where they are not always the same.</summary>
    public Func<IDictionary<AmqpPoint, AmqpMove>>? DrawMoves { get; set; }

    /// <summary>How many connections it has accepted.</summary>
    public int Conversations => Volatile.Read(ref _conversations);

    /// <summary>How many messages it has received whole.</summary>
    public int Published => Volatile.Read(ref _published);

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _over.Dispose();
    }

    private async Task AcceptAsync()
    {
        var talks = new List<Task>();
        try
        {
            while (true)
            {
                Socket client = await _listener.AcceptAsync(_over.Token);
                Interlocked.Increment(ref _conversations);
                IDictionary<AmqpPoint, AmqpMove> moves = DrawMoves?.Invoke() ?? Moves;
                talks.RemoveAll(talk => talk.IsCompletedSuccessfully);
                talks.Add(Task.Run(() => TalkAsync(client, moves)));
            }
        }
        catch (Exception end) when (end is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }

        await Task.WhenAll(talks);
    }

    private async Task TalkAsync(Socket client, IDictionary<AmqpPoint, AmqpMove> moves)
    {
        await using var stream = new NetworkStream(client, ownsSocket: true);
        var talk = new Talk(stream, moves, _over.Token, () => Interlocked.Increment(ref _published));
        try
        {
            await talk.RunAsync();
        }
        catch (Exception gone) when (gone is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // The client went away, or the test is over.
        }
    }

    private sealed class Talk(NetworkStream stream, IDictionary<AmqpPoint, AmqpMove> moves, CancellationToken over, Action published)
    {
        private readonly Dictionary<ushort, (ulong Tag, ulong BodyLeft)> _channels = [];
        private bool _goesOn = true;

        public async Task RunAsync()
        {
            await ReadAsync(8);
            await AnswerAsync(AmqpPoint.Start, AmqpFrames.Start());
            while (_goesOn)
            {
                byte[] header = await ReadAsync(7);
                ushort channel = BinaryPrimitives.ReadUInt16BigEndian(header.AsSpan(1));
                byte[] payload = await ReadAsync(BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(3)) + 1);
                await (header[0] switch
                {
                    1 => MethodAsync(channel, BinaryPrimitives.ReadUInt16BigEndian(payload), BinaryPrimitives.ReadUInt16BigEndian(payload.AsSpan(2))),
                    2 => ContentAsync(channel, BinaryPrimitives.ReadUInt64BigEndian(payload.AsSpan(4))),
                    3 => ContentAsync(channel, _channels[channel].BodyLeft - (ulong)(payload.Length - 1)),
                    _ => SayAsync(AmqpFrames.Heartbeat()),
                });
            }
        }

        private Task MethodAsync(ushort channel, ushort classId, ushort methodId)
        {
            if ((classId, methodId) is (20, 10))
            {
                _channels.Remove(channel); // its tags begin again
            }

            return AnswerMethodAsync(channel, classId, methodId);
        }

        private Task AnswerMethodAsync(ushort channel, ushort classId, ushort methodId) => (classId, methodId) switch
        {
            (10, 11) => AnswerAsync(AmqpPoint.Tune, AmqpFrames.Tune()),
            (10, 40) => AnswerAsync(AmqpPoint.OpenOk, AmqpFrames.OpenOk()),
            (20, 10) => AnswerAsync(AmqpPoint.ChannelOpenOk, AmqpFrames.ChannelOpenOk(channel)),
            (85, 10) => AnswerAsync(AmqpPoint.ConfirmSelectOk, AmqpFrames.ConfirmSelectOk(channel)),

            // Closing a channel or the connection, declaring an exchange: "-ok" is the next method.
            (20, 40) or (10, 50) or (40, 10) => SayAsync(AmqpFrames.Method(channel, classId, (ushort)(methodId + 1), [])),
            _ => Task.CompletedTask,
        };

        private async Task ContentAsync(ushort channel, ulong bodyLeft)
        {
            (ulong tag, _) = _channels.GetValueOrDefault(channel);
            tag += bodyLeft == 0 ? 1u : 0;
            _channels[channel] = (tag, bodyLeft);
            if (bodyLeft == 0)
            {
                published();
                await AnswerAsync(AmqpPoint.Published, AmqpFrames.Ack(channel, tag));
            }
        }

        private async Task AnswerAsync(AmqpPoint point, byte[] honest)
        {
            AmqpMove move = moves.TryGetValue(point, out AmqpMove? given) ? given : new AmqpMove(honest);
            do
            {
                await SayAsync(move.Says);
            }
            while (move.Then == AmqpThen.SayWithoutEnd);

            _goesOn = move.Then == AmqpThen.GoOn;
            if (move.Then == AmqpThen.StopReading)
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, over);
            }
        }

        private async Task SayAsync(byte[] bytes) => await stream.WriteAsync(bytes, over);

        private async Task<byte[]> ReadAsync(int count)
        {
            var bytes = new byte[count];
            await stream.ReadExactlyAsync(bytes, over);
            return bytes;
        }
    }
}
