using System.Net;
using System.Net.Sockets;
using Quickq.Agent.Broker;
using Quickq.Agent.Settings;
using Quickq.Testing;

namespace Quickq.Broker.Tests;

[Collection<OneNodeCollection>]
public sealed class ConnectFailureTests(OneNode shared)
{
    private readonly RabbitNode _node = shared.Node;

    private string Endpoint => $"{_node.Host}:{_node.Port}";

    [Fact(Timeout = 60_000)]
    public async Task A_wrong_password_is_told_with_the_user_and_without_the_password() =>
        Assert.Equal(
            $"{Endpoint} refused user 'guest' for vhost '/': wrong user name or password",
            await FailureAsync(Configured.Server(_node) with { Password = PasswordSource.Of("hunter2") }));

    [Fact(Timeout = 60_000)]
    public async Task An_unknown_vhost_is_told() =>
        Assert.Equal($"{Endpoint} has no vhost 'nope'", await FailureAsync(Configured.Server(_node, "nope")));

    [Fact(Timeout = 60_000)]
    public async Task A_vhost_without_permission_is_told()
    {
        await _node.CtlAsync("add_user", "stranger", "secret");
        Assert.Equal(
            $"{Endpoint} gives user 'stranger' no access to vhost '/'",
            await FailureAsync(Configured.Server(_node) with { User = "stranger", Password = PasswordSource.Of("secret") }));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_full_vhost_is_told_in_the_brokers_words()
    {
        await _node.CreateVirtualHostAsync("full");
        await _node.CtlAsync("set_vhost_limits", "-p", "full", "{\"max-connections\": 0}");
        Assert.Equal(
            $"{Endpoint} refused user 'guest' for vhost 'full': NOT_ALLOWED - access to vhost 'full' refused for user 'guest': connection limit (0) is reached",
            await FailureAsync(Configured.Server(_node, "full")));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_refused_connection_is_told_with_address_and_port()
    {
        var port = FreePort.Next();
        Assert.Equal($"connection refused by 127.0.0.1:{port}", await FailureAsync(At("127.0.0.1", port)));
        Assert.Equal($"connection refused by [::1]:{port}", await FailureAsync(At("::1", port)));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_name_that_does_not_resolve_is_told() =>
        Assert.Matches(@"\A(the name no-such-host\.invalid does not resolve|the name servers do not answer for no-such-host\.invalid.*)\z", await FailureAsync(At("no-such-host.invalid", 5672)));

    [Fact(Timeout = 60_000)]
    public async Task A_password_file_that_is_missing_is_told_and_read_again_at_the_next_attempt()
    {
        using var folder = new TempFolder("password");
        var settings = Configured.Server(_node) with { Password = PasswordSource.InFile(folder.File("pw")) };
        Assert.Equal($"the password file {folder.File("pw")} does not exist", await FailureAsync(settings));

        File.WriteAllText(folder.File("pw"), "guest\n");
        await using var connection = await BrokerConnection.OpenAsync(settings, lost: null, CancellationToken.None);
    }

    [Fact(Timeout = 60_000)]
    public async Task Every_host_is_tried_and_the_first_that_works_is_taken()
    {
        var dead = FreePort.Next();
        var hosts = new[] { new HostAndPort("no-such-host.invalid", 1), new HostAndPort("127.0.0.1", dead), new HostAndPort("localhost", _node.Port) };
        await using var connection = await BrokerConnection.OpenAsync(Configured.Server(_node) with { Hosts = hosts }, lost: null, CancellationToken.None);
        Assert.Equal(Endpoint, connection.Endpoint);

        var all = await FailureAsync(Configured.Server(_node) with { Hosts = hosts[..2] });
        Assert.Contains("no-such-host.invalid", all, StringComparison.Ordinal);
        Assert.EndsWith($"; connection refused by 127.0.0.1:{dead}", all, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task Every_address_of_a_name_is_tried_in_turn()
    {
        // The node listens on 127.0.0.1 only.
        IPAddress[] addresses = [IPAddress.IPv6Loopback, IPAddress.Parse("127.0.0.2"), IPAddress.Parse("127.0.0.3"), IPAddress.Loopback];
        var settings = At("alias.test", _node.Port);
        var dialer = new BrokerDialer(settings, BrokerDeadlines.Default, TimeProvider.System, (_, _) => Task.FromResult<IReadOnlyList<IPAddress>>(addresses));
        await using var connection = await dialer.DialAsync(lost: null, CancellationToken.None);
        Assert.Equal(Endpoint, connection.Endpoint);

        var dead = new BrokerDialer(settings, BrokerDeadlines.Default, TimeProvider.System, (_, _) => Task.FromResult<IReadOnlyList<IPAddress>>(addresses[..3]));
        var failure = await Assert.ThrowsAsync<BrokerUnavailableException>(() => dead.DialAsync(lost: null, CancellationToken.None));
        Assert.Equal($"connection refused by [::1]:{_node.Port}; connection refused by 127.0.0.2:{_node.Port}; connection refused by 127.0.0.3:{_node.Port}", failure.Message);
    }

    [Fact(Timeout = 60_000)]
    public async Task Where_the_last_connection_was_lost_is_tried_last_and_still_tried()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var hosts = new[] { new HostAndPort(_node.Host, _node.Port), new HostAndPort("127.0.0.1", ((IPEndPoint)other.LocalEndpoint).Port) };
        var lost = new IPEndPoint(IPAddress.Parse(_node.Host), _node.Port);
        var dialing = BrokerConnection.OpenAsync(Configured.Server(_node) with { Hosts = hosts }, lost, CancellationToken.None);

        (await other.AcceptTcpClientAsync().WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System)).Dispose();

        await using var connection = await dialing;
        Assert.Equal(Endpoint, connection.Endpoint);
    }

    [Fact(Timeout = 60_000)]
    public async Task Who_accepts_and_says_nothing_is_left_after_the_deadline()
    {
        using var mute = new TcpListener(IPAddress.Loopback, 0);
        mute.Start();
        var port = ((IPEndPoint)mute.LocalEndpoint).Port;

        var failure = await FailureAsync(At("127.0.0.1", port), new BrokerDeadlines { Handshake = TimeSpan.FromSeconds(1) });

        Assert.Equal($"127.0.0.1:{port} accepts connections but did not finish the handshake within 1 s", failure);
        using var accepted = await mute.AcceptTcpClientAsync();
        await AssertClosedAsync(accepted);
    }

    [Fact(Timeout = 60_000)]
    public async Task Who_accepts_and_hangs_up_is_told()
    {
        using var rude = new TcpListener(IPAddress.Loopback, 0);
        rude.Start();
        var port = ((IPEndPoint)rude.LocalEndpoint).Port;
        var hangingUp = Task.Run(async () => (await rude.AcceptTcpClientAsync()).Dispose());

        var failure = await FailureAsync(At("127.0.0.1", port));

        await hangingUp;
        Assert.Matches($@"\A127\.0\.0\.1:{port} ended the connection during the handshake \(.+\); is it an AMQP port, and one without TLS\?\z", failure);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_stop_ends_an_attempt_at_once_and_is_no_failure()
    {
        using var mute = new TcpListener(IPAddress.Loopback, 0);
        mute.Start();
        using var stopping = new CancellationTokenSource();
        var opening = BrokerConnection.OpenAsync(At("127.0.0.1", ((IPEndPoint)mute.LocalEndpoint).Port), lost: null, stopping.Token);
        using var accepted = await mute.AcceptTcpClientAsync();

        await stopping.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => opening.WaitAsync(TimeSpan.FromSeconds(5), TimeProvider.System));
        await AssertClosedAsync(accepted);
    }

    private static async Task AssertClosedAsync(TcpClient accepted)
    {
        try
        {
            var buffer = new byte[64];
            while (await accepted.GetStream().ReadAsync(buffer).AsTask().WaitAsync(TimeSpan.FromSeconds(5), TimeProvider.System) > 0)
            {
                // The protocol header came first.
            }
        }
        catch (IOException reset) when (reset.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionReset })
        {
            // Cut off, as it should be.
        }
    }

    private static ServerSettings At(string host, int port) =>
        new() { Name = "test", Hosts = [new HostAndPort(host, port)], Exchange = Configured.Exchange };

    private static async Task<string> FailureAsync(ServerSettings settings, BrokerDeadlines? deadlines = null)
    {
        var failure = await Assert.ThrowsAsync<BrokerUnavailableException>(
            () => BrokerConnection.OpenAsync(settings, deadlines ?? BrokerDeadlines.Default, TimeProvider.System, CancellationToken.None));
        Assert.DoesNotContain('\n', failure.Message);
        Assert.DoesNotContain("hunter2", failure.ToString(), StringComparison.Ordinal);
        return failure.Message;
    }
}
