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
    private readonly BlockedLinkWatch _blockedLink;
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
    private volatile string? _blockedReason;

    internal BrokerConnection(IConnection client, BrokerSocket socket, string host, IPEndPoint endpoint, ServerSettings settings, BrokerDeadlines deadlines, TimeProvider time)
    {
        Host = host;
        (_client, _socket, _endpoint, _settings, _deadlines, _time) = (client, socket, endpoint, settings, deadlines, time);

        _over = _givenUp.Token;
        _blockedLink = new BlockedLinkWatch(socket, settings.Heartbeat, time, GiveUp);

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
        // A broker that blocks us reads nothing: the channel goes with the connection.
        if (!Lost.IsCompleted && BlockedReason is null && !await BoundedAsync(Task.WhenAny(channel.DisposeAsync().AsTask(), Lost), _deadlines.Close))
        {
            GiveUp($"a channel did not close within {_deadlines.Close.TotalSeconds:0.#} s");
        }
    }

    /// <summary>Why a call into the client failed: for what it is worth, the loss of the connection says more than its exception.</summary>
    internal string ReasonAfter(Exception failure, string? channelReason) =>
        Lost.IsCompletedSuccessfully ? Lost.Result : channelReason ?? $"the connection broke: {failure.Message.ReplaceLineEndings(" ")}";

    private async Task<IChannel> OpenChannelAsync(CancellationToken stopping) => Lost.IsCompleted
        ? throw new BrokerUnavailableException(await Lost)
        : await BoundedCallAsync(limit => _client.CreateChannelAsync(Confirming, limit), "no channel was opened", stopping);

    /// <summary>A question to the broker and its answer, within the deadline of a channel's opening.</summary>
    private async Task<T> BoundedCallAsync<T>(Func<CancellationToken, Task<T>> call, string breach, CancellationToken stopping)
    {
        using var expiry = new CancellationTokenSource(_deadlines.OpenChannel, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, expiry.Token, _over);
        try
        {
            return await call(either.Token).WaitAsync(either.Token);
        }
        catch (OperationCanceledException late)
        {
            stopping.ThrowIfCancellationRequested();
            GiveUp($"{breach} within {_deadlines.OpenChannel.TotalSeconds:0.#} s");
            throw new BrokerUnavailableException(await Lost, late);
        }
        catch (Exception failure) when (failure is RabbitMQClientException or IOException or ObjectDisposedException or System.Threading.Channels.ChannelClosedException)
        {
            throw new BrokerUnavailableException(ReasonAfter(failure, channelReason: null), failure);
        }
    }

    private Task OnShutdownAsync(object sender, ShutdownEventArgs shutdown)
    {
        var reason = shutdown is { Initiator: ShutdownInitiator.Peer, ReplyCode: Constants.AccessRefused or Constants.NotAllowed }
            ? ConnectFailure.Refusal(_endpoint, _settings, shutdown.ReplyCode, shutdown.ReplyText)
            : LossReason.Describe(shutdown, _socket.EndedBy, _settings.Heartbeat, _deadlines.Unacknowledged);
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
