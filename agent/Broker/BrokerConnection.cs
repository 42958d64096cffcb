using System.Globalization;
using System.Net;
using Quickq.Agent.Settings;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace Quickq.Agent.Broker;

/// <summary>
/// One connection to one server, from the open vhost to its loss. It never comes back: who needs another opens another.
/// </summary>
/// <remarks>
/// <para>States: open, open and blocked, lost. Lost is final, and completes <see cref="Lost"/> before any publisher hears of it.</para>
/// <para>Every call into the client is bounded. What breaks its deadline is given up: pending calls are cancelled and the
/// socket is cut, so that whatever hangs inside the client ends on its own and nothing of it stays.</para>
/// <para>The client's events come on its reader thread; a deadline's breach on a timer's.</para>
/// </remarks>
internal sealed class BrokerConnection : IAsyncDisposable
{
    private static readonly CreateChannelOptions Confirming = new(
        publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: false, outstandingPublisherConfirmationsRateLimiter: null);

    private readonly IConnection _client;
    private readonly BrokerSocket _socket;
    private readonly BlockedConnectionMonitor _blockedLink;
    private readonly BrokerDeadlines _deadlines;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _givenUp = new();
    private readonly CancellationToken _over;
    private readonly TaskCompletionSource<string> _lost = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _gate = new();
    private readonly ServerSettings _settings;
    private readonly IPEndPoint _endpoint;

    // Guarded by the gate.
    private readonly List<ConfirmedPublisher> _publishers = [];
    private bool _disposed;

    private IChannel? _firstChannel;
    private int _openChannels;
    private long _channelClosedAt;
    private volatile string? _blockedReason;

    internal BrokerConnection(IConnection client, BrokerSocket socket, string host, IPEndPoint endpoint, ServerSettings settings, BrokerDeadlines deadlines, TimeProvider time)
    {
        Host = host;
        (_client, _socket, _endpoint, _settings, _deadlines, _time) = (client, socket, endpoint, settings, deadlines, time);

        _over = _givenUp.Token;
        _blockedLink = new BlockedConnectionMonitor(socket, settings.Heartbeat, time, GiveUp);

        // First of all handlers, and never removed: the client tells a loss to one after the other and may hang in the next.
        _client.ConnectionShutdownAsync += OnShutdownAsync;
        _client.ConnectionBlockedAsync += OnBlockedAsync;
        _client.ConnectionUnblockedAsync += OnUnblockedAsync;
        _client.CallbackExceptionAsync += OnCallbackExceptionAsync;
    }

    /// <summary>Raised when <see cref="BlockedReason"/> changes, on the client's reader thread.</summary>
    public event Action? BlockedChanged;

    /// <summary>The name, or the literal address, from the settings that led here.</summary>
    public string Host { get; }

    /// <summary>The address that the name led to, and the port.</summary>
    public IPEndPoint Peer => _endpoint;

    /// <summary>The address in use, <c>ip:port</c>, v6 in brackets.</summary>
    public string Endpoint => _endpoint.ToString();

    /// <summary>Completes with the reason in words when the connection is gone, whoever closed it. Never faults.</summary>
    public Task<string> Lost => _lost.Task;

    /// <summary>The broker's reason while connection.blocked is in force, else null.</summary>
    public string? BlockedReason => _blockedReason;

    /// <summary>Whether a broken deadline ended it: something hung, in the client, on the way or at the broker.</summary>
    public bool WasGivenUp { get; private set; }

    /// <summary>The AMQP code with which the broker closed the connection; 0 when it did not. Set before <see cref="Lost"/> completes.</summary>
    public ushort CloseCode { get; private set; }

    /// <summary>The broker closed the connection because one more channel was opened than it grants.</summary>
    public bool WasRefusedChannel { get; private set; }

    /// <summary>The broker sent heartbeats but answered no question: it may be held up by a queue that hangs.</summary>
    public bool WasSilent { get; private set; }

    /// <summary>How many channels are open.</summary>
    public int OpenChannels => Volatile.Read(ref _openChannels);

    /// <summary>How long ago the last channel was closed: the broker counts it for a moment more.</summary>
    public TimeSpan SinceChannelClosed => Volatile.Read(ref _channelClosedAt) is var at && at == 0 ? TimeSpan.MaxValue : _time.GetElapsedTime(at);

    /// <summary>A channel is open that nobody uses yet: the next publisher gets it.</summary>
    public bool HasSpareChannel => Volatile.Read(ref _firstChannel) is not null;

    /// <summary>Makes one attempt; when to make the next is the caller's to decide.</summary>
    /// <exception cref="BrokerUnavailableException">Nothing could be opened; the message says why.</exception>
    /// <param name="settings">The server.</param>
    /// <param name="lost">Where the last connection failed, if there was one: tried when nothing else will do.</param>
    /// <param name="stopping">Nobody wants the connection any more.</param>
    public static Task<BrokerConnection> OpenAsync(ServerSettings settings, IPEndPoint? lost, CancellationToken stopping) =>
        new BrokerDialer(settings, BrokerDeadlines.Default, TimeProvider.System).DialAsync(lost, stopping);

    public static Task<BrokerConnection> OpenAsync(ServerSettings settings, BrokerDeadlines deadlines, TimeProvider time, CancellationToken stopping) =>
        new BrokerDialer(settings, deadlines, time).DialAsync(lost: null, stopping);

    /// <summary>Opens a channel of its own for a publisher.</summary>
    /// <exception cref="BrokerUnavailableException">The connection is lost, now or before.</exception>
    /// <exception cref="NoChannelException">All that the broker grants are open.</exception>
    public async Task<ConfirmedPublisher> OpenPublisherAsync(IConfirmListener listener, CancellationToken stopping)
    {
        var channel = Interlocked.Exchange(ref _firstChannel, null) is { IsOpen: true } first ? first : await OpenChannelAsync(stopping);
        var publisher = new ConfirmedPublisher(this, channel, listener, _client.FrameMax, _over);
        lock (_gate)
        {
            _publishers.Add(publisher);
        }

        if (Lost.IsCompleted)
        {
            // Between the opening and the adding: nobody else tells it.
            publisher.ConnectionLost(Lost.Result);
        }

        return publisher;
    }

    /// <summary>Asks, on a channel of its own, whether there is such an exchange; null when there is, else the broker's words.</summary>
    /// <exception cref="BrokerUnavailableException">The connection is lost, now or before.</exception>
    public async Task<string?> AskForExchangeAsync(string exchange, CancellationToken stopping)
    {
        var channel = await OpenChannelAsync(stopping);
        try
        {
            await BoundedCallAsync(
                async limit =>
                {
                    await channel.ExchangeDeclarePassiveAsync(exchange, limit);
                    return true;
                },
                "the broker did not say whether an exchange is there",
                _deadlines.OpenChannel,
                stopping);
            return null;
        }
        catch (BrokerUnavailableException) when (!Lost.IsCompleted && channel.CloseReason is { Initiator: ShutdownInitiator.Peer } closed)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{closed.ReplyCode} {closed.ReplyText}");
        }
        finally
        {
            await CloseChannelAsync(channel);
        }
    }

    /// <summary>Asks for a sign of life of the broker itself, by opening a channel: a publisher that gets one, and no confirm, waits for a queue. False when the connection ends meanwhile.</summary>
    public async Task<bool> AskForAnswerAsync(CancellationToken stopping)
    {
        try
        {
            await CloseChannelAsync(await OpenChannelAsync(_deadlines.Answer, silent: true, stopping));
            return true;
        }
        catch (Exception ended) when (ended is BrokerUnavailableException or NoChannelException or OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Says goodbye if the broker listens, and ends in any case within five seconds.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
        }

        // A broker that blocks us reads nothing, and so no goodbye either.
        if (!Lost.IsCompleted && BlockedReason is null)
        {
            await BoundedAsync(_client.CloseAsync(Constants.ReplySuccess, "closed by the agent", _deadlines.Close, abort: true, CancellationToken.None), _deadlines.Close);
        }

        CutOff("closed by the agent");
        await BoundedAsync(_client.DisposeAsync().AsTask(), TimeSpan.FromSeconds(1));
        _givenUp.Dispose();
    }

    internal async Task OpenFirstChannelAsync(CancellationToken limit) => _firstChannel = await OpenChannelAsync(limit);

    internal PublishWatchdog WatchdogFor(string what) =>
        new(_time, _deadlines.Publish, () => BlockedReason is not null, () => GiveUp($"the connection {what} for {_deadlines.Publish.TotalSeconds:0.#} s"));

    internal void Forget(ConfirmedPublisher publisher)
    {
        lock (_gate)
        {
            _publishers.Remove(publisher);
        }
    }

    internal async Task CloseChannelAsync(IChannel channel)
    {
        Interlocked.Decrement(ref _openChannels);
        // A broker that blocks us reads nothing: the channel goes with the connection.
        if (!Lost.IsCompleted && BlockedReason is null && !await BoundedAsync(Task.WhenAny(channel.DisposeAsync().AsTask(), Lost), _deadlines.Close))
        {
            GiveUp($"a channel did not close within {_deadlines.Close.TotalSeconds:0.#} s");
        }

        Volatile.Write(ref _channelClosedAt, _time.GetTimestamp());
    }

    /// <summary>Why a call into the client failed: for what it is worth, the loss of the connection says more than its exception.</summary>
    internal string ReasonAfter(Exception failure, string? channelReason) =>
        Lost.IsCompletedSuccessfully ? Lost.Result : channelReason ?? $"the connection broke: {failure.Message.ReplaceLineEndings(" ")}";

    private Task<IChannel> OpenChannelAsync(CancellationToken stopping) => OpenChannelAsync(_deadlines.OpenChannel, silent: false, stopping);

    private async Task<IChannel> OpenChannelAsync(TimeSpan deadline, bool silent, CancellationToken stopping)
    {
        if (Lost.IsCompleted)
        {
            throw new BrokerUnavailableException(await Lost);
        }

        try
        {
            var channel = await BoundedCallAsync(limit => _client.CreateChannelAsync(Confirming, limit), "no channel was opened", deadline, stopping, silent);
            Interlocked.Increment(ref _openChannels);
            return channel;
        }
        catch (ChannelAllocationException none)
        {
            throw new NoChannelException($"the broker grants no more than {OpenChannels} channels", none);
        }
    }

    /// <summary>A question to the broker and its answer, within a deadline that stands still while the broker blocks: it reads nothing then.</summary>
    private async Task<T> BoundedCallAsync<T>(Func<CancellationToken, Task<T>> call, string breach, TimeSpan deadline, CancellationToken stopping, bool silent = false)
    {
        using var expiry = new CancellationTokenSource();
        using var watch = new PublishWatchdog(_time, deadline, () => BlockedReason is not null, Expire);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, expiry.Token, _over);
        watch.Began();
        try
        {
            return await call(either.Token).WaitAsync(either.Token);
        }
        catch (OperationCanceledException late)
        {
            stopping.ThrowIfCancellationRequested();
            WasSilent = silent && !Lost.IsCompleted;
            GiveUp($"{breach} within {deadline.TotalSeconds:0.#} s");
            throw new BrokerUnavailableException(await Lost, late);
        }
        catch (ChannelAllocationException)
        {
            throw;
        }
        catch (Exception failure) when (failure is RabbitMQClientException or IOException or ObjectDisposedException or System.Threading.Channels.ChannelClosedException)
        {
            throw new BrokerUnavailableException(ReasonAfter(failure, channelReason: null), failure);
        }
        finally
        {
            watch.Ended();
        }

        void Expire()
        {
            try
            {
                expiry.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // The answer came at this very moment.
            }
        }
    }

    private Task OnShutdownAsync(object sender, ShutdownEventArgs shutdown)
    {
        var reason = shutdown is { Initiator: ShutdownInitiator.Peer, ReplyCode: Constants.AccessRefused or Constants.NotAllowed }
            ? ConnectFailure.Refusal(_endpoint, _settings, shutdown.ReplyCode, shutdown.ReplyText)
            : LossReason.Describe(shutdown, _socket.EndedBy, _settings.Heartbeat, _deadlines.Unacknowledged);
        if (shutdown.Initiator == ShutdownInitiator.Peer && !Lost.IsCompleted)
        {
            CloseCode = shutdown.ReplyCode;
            WasRefusedChannel = shutdown.ReplyCode == Constants.NotAllowed && shutdown.ReplyText.Contains("number of channels opened", StringComparison.Ordinal);
        }

        Lose(reason);
        return Task.CompletedTask;
    }

    private Task OnBlockedAsync(object sender, ConnectionBlockedEventArgs blocked)
    {
        _blockedLink.Begin();
        _blockedReason = blocked.Reason;
        BlockedChanged?.Invoke();
        return Task.CompletedTask;
    }

    private Task OnUnblockedAsync(object sender, AsyncEventArgs unblocked)
    {
        _blockedReason = null;
        _blockedLink.End();
        BlockedChanged?.Invoke();
        return Task.CompletedTask;
    }

    private Task OnCallbackExceptionAsync(object sender, CallbackExceptionEventArgs thrown)
    {
        // A listener of ours threw: from here on its books are wrong, and only a new connection sets them right.
        GiveUp($"internal fault: {thrown.Exception.Message}");
        return Task.CompletedTask;
    }

    /// <summary>A deadline is broken. The client may hang: what it does from here on is of no interest, and its socket is cut under it.</summary>
    internal void GiveUp(string reason) => End(reason, givenUp: true);

    /// <summary>Ends it at once, whatever waits for it: nobody needs it any more. Does nothing when it is lost already.</summary>
    internal void CutOff(string reason) => End(reason, givenUp: false);

    private void End(string reason, bool givenUp)
    {
        Lose(reason, givenUp);
        _socket.Cut();
    }

    private void Lose(string reason, bool givenUp = false)
    {
        ConfirmedPublisher[] publishers;
        lock (_gate)
        {
            if (_lost.Task.IsCompleted)
            {
                return;
            }

            // Before it is told: who hears of the loss may ask at once.
            WasGivenUp = givenUp;
            _lost.SetResult(reason);
            publishers = [.. _publishers];
        }

        // A publish that hangs holds a lock which the client's own shutdown waits for (rabbitmq-dotnet-client 1930).
        _givenUp.Cancel();
        _blockedLink.Dispose();
        foreach (var publisher in publishers)
        {
            publisher.ConnectionLost(reason);
        }
    }

    private async Task<bool> BoundedAsync(Task closing, TimeSpan limit)
    {
        try
        {
            await closing.WaitAsync(limit, _time);
            return true;
        }
        catch (TimeoutException)
        {
            // It hangs. The caller cuts the socket, which ends it.
            return false;
        }
        catch (Exception)
        {
            // The connection broke while it was closed, in whatever way: it is closed.
            return true;
        }
    }
}
