using System.Runtime.CompilerServices;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace Quickq.Agent.Broker;

/// <summary>
/// Publishes on one channel, in order, and passes on what the broker says of each message by its delivery tag. Keeps no
/// window: how many messages may be unconfirmed is the caller's to bound.
/// </summary>
/// <remarks>
/// <para>One caller publishes, one publish at a time. The listener is called from the client's reader thread and, when the
/// connection is given up, from another; a gate keeps its calls single and ends them with ChannelClosed.</para>
/// <para>Confirms are on and the client's own tracking of them is off: that writes a header into every message. The count
/// of tags is our own, from 1, as the broker counts.</para>
/// <para>Known limit: a publish that races with a close of the channel by the broker may reach the broker after the close
/// was agreed, and then costs the connection (RabbitMQ.Client cannot exclude it).</para>
/// </remarks>
internal sealed class ConfirmedPublisher : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly BrokerConnection _connection;
    private readonly IChannel _channel;
    private readonly IConfirmListener _listener;
    private readonly PublishWatchdog _watchdog;
    private readonly uint _frameMax;
    private readonly CancellationToken _abandoned;

    // Guarded by the gate. Set once: why nothing can be published any more.
    private volatile string? _closedReason;

    internal ConfirmedPublisher(BrokerConnection connection, IChannel channel, IConfirmListener listener, uint frameMax, CancellationToken abandoned)
    {
        (_connection, _channel, _listener, _frameMax, _abandoned) = (connection, channel, listener, frameMax, abandoned);
        _watchdog = connection.WatchdogFor("took no message");
        _channel.BasicAcksAsync += OnAckAsync;
        _channel.BasicNacksAsync += OnNackAsync;
        _channel.BasicReturnAsync += OnReturnAsync;
        _channel.ChannelShutdownAsync += OnShutdownAsync;
    }

    /// <summary>Nothing can be published any more; the listener was told, or is being told.</summary>
    public bool IsClosed => _closedReason is not null;

    /// <summary>The delivery tag that the next publish will have.</summary>
    public ulong NextTag { get; private set; } = 1;

    /// <summary>
    /// Completes when the client has taken the message, which is mostly at once; the confirm comes later, to the listener,
    /// perhaps even before this completes.
    /// </summary>
    /// <exception cref="UnsendableMessageException">AMQP cannot carry this message; the publisher goes on.</exception>
    /// <exception cref="BrokerUnavailableException">Channel or connection is gone, or the client took nothing for too long;
    /// whether the broker has the message is unknown, and the publisher is of no more use.</exception>
    public ValueTask PublishAsync(in BrokerMessage message, bool mandatory)
    {
        if (_closedReason is { } reason)
        {
            throw new BrokerUnavailableException(reason);
        }

        var properties = WireProperties.Of(message, _frameMax);
        NextTag++;
        var taking = _channel.BasicPublishAsync(message.Exchange, message.RoutingKey, mandatory, properties, message.Body, _abandoned);
        return taking.IsCompletedSuccessfully ? default : FinishAsync(taking);
    }

    /// <summary>Closes the channel and ends the listener's calls, with nothing more than what was called before. Bounded.</summary>
    public async ValueTask DisposeAsync()
    {
        End(_ => { }, "the publisher was closed");
        _watchdog.Dispose();
        _connection.Forget(this);
        await _connection.CloseChannelAsync(_channel);
    }

    /// <summary>The connection is gone: no word will come any more.</summary>
    internal void ConnectionLost(string reason) => End(listener => listener.ChannelClosed(0, reason), reason);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask FinishAsync(ValueTask taking)
    {
        _watchdog.Began();
        try
        {
            // The token is given twice: to the client, which should end then, and here, should it not.
            await taking.AsTask().WaitAsync(_abandoned);
        }
        catch (Exception failure) when (failure is WireFormattingException or ArgumentException or OverflowException)
        {
            // The client could not put it into frames: nothing of it was written, and the broker does not count it.
            NextTag--;
            throw new UnsendableMessageException($"it has no form in AMQP: {failure.Message.ReplaceLineEndings(" ")}");
        }
        catch (Exception failure) when (failure is AlreadyClosedException or OperationCanceledException or System.Threading.Channels.ChannelClosedException or IOException or ObjectDisposedException)
        {
            throw new BrokerUnavailableException(_connection.ReasonAfter(failure, _closedReason), failure);
        }
        finally
        {
            _watchdog.Ended();
        }
    }

    private Task OnAckAsync(object sender, BasicAckEventArgs ack)
    {
        lock (_gate)
        {
            if (_closedReason is null)
            {
                _listener.Confirmed(ack.DeliveryTag, ack.Multiple);
            }
        }

        _listener.Said();
        return Task.CompletedTask;
    }

    private Task OnNackAsync(object sender, BasicNackEventArgs nack)
    {
        lock (_gate)
        {
            if (_closedReason is null)
            {
                _listener.Nacked(nack.DeliveryTag, nack.Multiple);
            }
        }

        _listener.Said();
        return Task.CompletedTask;
    }

    private Task OnReturnAsync(object sender, BasicReturnEventArgs returned)
    {
        lock (_gate)
        {
            if (_closedReason is null)
            {
                _listener.Returned(returned.BasicProperties.MessageId ?? "", returned.ReplyCode, returned.ReplyText);
            }
        }

        _listener.Said();
        return Task.CompletedTask;
    }

    private Task OnShutdownAsync(object sender, ShutdownEventArgs shutdown)
    {
        // A lost connection closes its channels too, but has told us before, on its own way. What a peer closes without a code must not read like that loss.
        ushort code = shutdown is { Initiator: ShutdownInitiator.Peer, ReplyCode: 0 } ? (ushort)Constants.InternalError : shutdown.ReplyCode;
        End(listener => listener.ChannelClosed(code, shutdown.ReplyText), $"the broker closed the channel: {shutdown.ReplyText}");
        return Task.CompletedTask;
    }

    private void End(Action<IConfirmListener> lastWord, string reason)
    {
        lock (_gate)
        {
            if (_closedReason is null)
            {
                _closedReason = reason;
                lastWord(_listener);
            }
        }

        _listener.Said();
    }
}
