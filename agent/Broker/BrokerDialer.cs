using System.Net;
using Quickq.Agent.Settings;
using RabbitMQ.Client;

namespace Quickq.Agent.Broker;

/// <summary>
/// Makes one attempt to connect to a server: every host, every address of each, one after the other, each step under a
/// deadline. The first that opens the vhost wins; if none does, the reasons of all come back as one line.
/// </summary>
internal sealed class BrokerDialer
{
    private readonly ServerSettings _settings;
    private readonly BrokerDeadlines _deadlines;
    private readonly TimeProvider _time;
    private readonly ResolveHost _resolve;

    public BrokerDialer(ServerSettings settings, BrokerDeadlines deadlines, TimeProvider time)
        : this(settings, deadlines, time, (host, stopping) => HostLookup.ResolveAsync(host, deadlines.Resolve, time, stopping))
    {
    }

    /// <param name="settings">The server.</param>
    /// <param name="deadlines">How long each step may take.</param>
    /// <param name="time">The clock.</param>
    /// <param name="resolve">Gives the addresses of a host: a test has names with several, which the system's resolver has not.</param>
    public BrokerDialer(ServerSettings settings, BrokerDeadlines deadlines, TimeProvider time, ResolveHost resolve) =>
        (_settings, _deadlines, _time, _resolve) = (settings, deadlines, time, resolve);

    public delegate Task<IReadOnlyList<IPAddress>> ResolveHost(string host, CancellationToken stopping);

    /// <summary>Called before each step of an attempt (each name and each address is one); none takes longer than its deadlines.</summary>
    public Action Step { get; init; } = () => { };

    /// <param name="lost">Where the last connection failed: tried when nothing else will do, since a member of a cluster may accept and fail again and again.</param>
    /// <param name="stopping">Nobody wants the connection any more.</param>
    public async Task<BrokerConnection> DialAsync(IPEndPoint? lost, CancellationToken stopping)
    {
        Step();
        var password = ReadPassword();
        var failures = new List<BrokerUnavailableException>();
        string? lostHost = null;
        foreach (var host in _settings.Hosts)
        {
            foreach (var endpoint in await ResolveAsync(host, failures, stopping))
            {
                if (endpoint.Equals(lost))
                {
                    lostHost ??= host.Host;
                }
                else if (await TryDialAsync(host.Host, endpoint, password, failures, stopping) is { } connection)
                {
                    return connection;
                }
            }
        }

        if (lostHost is not null && await TryDialAsync(lostHost, lost!, password, failures, stopping) is { } again)
        {
            return again;
        }

        throw failures is [var only]
            ? only
            : new BrokerUnavailableException(string.Join("; ", failures.Select(failure => failure.Message).Distinct(StringComparer.Ordinal)), new AggregateException(failures));
    }

    private async Task<IReadOnlyList<IPEndPoint>> ResolveAsync(HostAndPort host, List<BrokerUnavailableException> failures, CancellationToken stopping)
    {
        Step();
        try
        {
            return [.. (await _resolve(host.Host, stopping)).Select(address => new IPEndPoint(address, host.Port))];
        }
        catch (BrokerUnavailableException unresolved)
        {
            // The next host may do.
            failures.Add(unresolved);
            return [];
        }
    }

    private async Task<BrokerConnection?> TryDialAsync(string host, IPEndPoint endpoint, Secret password, List<BrokerUnavailableException> failures, CancellationToken stopping)
    {
        Step();
        try
        {
            return await DialAsync(host, endpoint, password, stopping);
        }
        catch (BrokerUnavailableException failure)
        {
            // The next address, the next host may do.
            failures.Add(failure);
            return null;
        }
    }

    private async Task<BrokerConnection> DialAsync(string host, IPEndPoint endpoint, Secret password, CancellationToken stopping)
    {
        using var tls = _settings.Tls is null ? null : new CertificateCheck(_settings.Tls, host, _time);
        var socket = await BrokerSocket.ConnectAsync(endpoint, _deadlines, _time, stopping);
        BrokerConnection? connection = null;
        using var expiry = new CancellationTokenSource(_deadlines.Handshake, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, expiry.Token);
        try
        {
            if (tls is not null)
            {
                await socket.EncryptAsync(tls.ToOptions(), either.Token);
            }

            var client = await OpenClientAsync(socket, endpoint, password, either.Token);
            connection = new BrokerConnection(client, socket, host, endpoint, _settings, _deadlines, _time);

            // The client (7.2.2) does not wait for the broker to open the vhost: only an open channel shows that it did.
            await connection.OpenFirstChannelAsync(either.Token);
            return connection;
        }
        catch (Exception failure)
        {
            // Whatever it was: nothing of this attempt may stay behind.
            await CutAsync(connection, socket);
            stopping.ThrowIfCancellationRequested();
            throw failure is BrokerUnavailableException
                ? failure
                : new BrokerUnavailableException(
                    expiry.IsCancellationRequested && failure is OperationCanceledException
                        ? $"{endpoint} accepts connections but did not finish the handshake within {_deadlines.Handshake.TotalSeconds:0.#} s"
                        : ConnectFailure.Describe(failure, endpoint, _settings, tls), failure);
        }
    }

    private async Task<IConnection> OpenClientAsync(BrokerSocket socket, IPEndPoint endpoint, Secret password, CancellationToken limit)
    {
        var factory = new ConnectionFactory
        {
            VirtualHost = _settings.VirtualHost,
            UserName = _settings.User,
            Password = password.Reveal(),
            RequestedHeartbeat = _settings.Heartbeat,
            HandshakeContinuationTimeout = _deadlines.Handshake,
            // Our own deadlines stand still while the broker blocks; the client's would not.
            ContinuationTimeout = TimeSpan.FromDays(1),
            RequestedFrameMax = InboundFrames.LargestFrame,
            MaxInboundMessageBodySize = InboundFrames.LargestFrame,
            // Our own loop connects again: the client's stops for good at the first refused password.
            AutomaticRecoveryEnabled = false,
            TopologyRecoveryEnabled = false,
            SocketFactory = _ => socket,
            ClientProvidedName = $"{WireProperties.AppId}@{Environment.MachineName}",
        };
        var place = new AmqpTcpEndpoint(endpoint.Address.ToString(), endpoint.Port);
        var opening = factory.CreateConnectionAsync([place], factory.ClientProvidedName, limit);
        try
        {
            // The token is given twice: the client may not heed it.
            return await opening.WaitAsync(limit);
        }
        catch (OperationCanceledException)
        {
            Abandon(opening);
            throw;
        }
    }

    /// <summary>A late success is closed, a late failure is of no interest; its socket is cut already, so it cannot take long.</summary>
    private static void Abandon(Task<IConnection> opening) =>
        _ = opening.ContinueWith(
            static late => late.IsCompletedSuccessfully ? late.Result.DisposeAsync().AsTask() : Task.FromResult(late.Exception),
            CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);

    private static async Task CutAsync(BrokerConnection? connection, BrokerSocket socket)
    {
        socket.Cut();
        if (connection is not null)
        {
            await connection.DisposeAsync();
        }
    }

    private Secret ReadPassword()
    {
        try
        {
            return _settings.Password.Read();
        }
        catch (IOException unreadable)
        {
            throw new BrokerUnavailableException(unreadable.Message, unreadable);
        }
    }
}
