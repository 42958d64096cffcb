using System.Net.Sockets;
using Quickq.Testing;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Quickq.Broker.Tests;

/// <summary>Proves the fixture that all tests with real brokers stand on.</summary>
[Collection<OneNodeCollection>]
public sealed class RabbitNodeTests(OneNode shared, VirtualHost virtualHost) : IClassFixture<VirtualHost>
{
    private static readonly CreateChannelOptions Confirming = new(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true);
    private readonly RabbitNode _node = shared.Node;

    [Fact(Timeout = 120_000)]
    public async Task A_confirmed_persistent_message_survives_kill_and_restart()
    {
        var queue = await BrokerQueue.DeclareAsync(_node, virtualHost.Name, "satellite", "survivors");
        var body = Some.Bytes(1000);
        await PublishAsync("survivor-1", "geo.goes.g16", body, DeliveryModes.Persistent);
        await PublishAsync("victim-1", "geo.goes.g16", body, DeliveryModes.Transient);
        var before = _node.Pid;

        _node.Kill();
        await Assert.ThrowsAsync<BrokerUnreachableException>(() => _node.ConnectAsync());
        await _node.RestartAsync();

        Assert.NotEqual(before, _node.Pid);
        Assert.Equal(1, await queue.CountAsync());
        var message = Assert.Single(await queue.DrainAsync());
        Assert.Equal("survivor-1", message.MessageId);
        Assert.Equal("geo.goes.g16", message.RoutingKey);
        Assert.Equal("satellite", message.Exchange);
        Assert.Equal(body, message.Body);
        Assert.Equal(0, await queue.CountAsync());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_stopped_node_refuses_connections_and_comes_back_on_the_same_port_with_its_data()
    {
        var queue = await BrokerQueue.DeclareAsync(_node, virtualHost.Name, "satellite", "stopped");
        await PublishAsync("kept-1", "a.b", Some.Bytes(10), DeliveryModes.Persistent);
        var port = _node.Port;

        await _node.StopAsync();
        Assert.False(_node.IsRunning);
        await AssertRefusedAsync(port);
        await _node.StartAsync();

        Assert.Equal(port, _node.Port);
        Assert.Equal("kept-1", Assert.Single(await queue.DrainAsync()).MessageId);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_paused_node_keeps_its_connections_and_answers_only_after_it_is_resumed()
    {
        await using var connection = await _node.ConnectAsync(virtualHost.Name);
        await using var channel = await connection.CreateChannelAsync();

        await _node.PauseAsync();
        var answer = channel.ExchangeDeclarePassiveAsync("amq.topic");
        try
        {
            await Assert.ThrowsAsync<TimeoutException>(() => answer.WaitAsync(TimeSpan.FromSeconds(1), TimeProvider.System));
            Assert.True(connection.IsOpen);
        }
        finally
        {
            _node.Resume();
        }

        await answer.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System);
    }

    [Fact(Timeout = 120_000)]
    public async Task It_listens_on_the_loopback_address_only()
    {
        var listeners = await _node.CtlAsync("eval", "[inet:ntoa(IP) || {listener, _, _, _, IP, _, _} <- rabbit_networking:active_listeners()].");

        Assert.DoesNotContain("0.0.0.0", listeners, StringComparison.Ordinal);
        Assert.Contains(_node.Name, await _node.CtlAsync("status"), StringComparison.Ordinal);
        Assert.All(ListeningAddresses(_node.Pid), address => Assert.Equal("0100007F", address));
    }

    private static IEnumerable<string> ListeningAddresses(int pid)
    {
        var sockets = Directory.GetFiles($"/proc/{pid}/fd")
            .Select(path => new FileInfo(path).LinkTarget ?? "")
            .Where(target => target.StartsWith("socket:[", StringComparison.Ordinal))
            .Select(target => target[8..^1])
            .ToHashSet(StringComparer.Ordinal);
        var listening = File.ReadLines("/proc/net/tcp").Skip(1)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(columns => string.Equals(columns[3], "0A", StringComparison.Ordinal) && sockets.Contains(columns[9]))
            .Select(columns => columns[1][..8])
            .ToList();
        Assert.NotEmpty(listening);
        return listening;
    }

    private static async Task AssertRefusedAsync(int port)
    {
        using var client = new TcpClient();
        var failure = await Assert.ThrowsAsync<SocketException>(() => client.ConnectAsync("127.0.0.1", port));
        Assert.Equal(SocketError.ConnectionRefused, failure.SocketErrorCode);
    }

    private async Task PublishAsync(string id, string key, byte[] body, DeliveryModes mode)
    {
        await using var connection = await _node.ConnectAsync(virtualHost.Name);
        await using var channel = await connection.CreateChannelAsync(Confirming);
        var properties = new BasicProperties { MessageId = id, DeliveryMode = mode };
        await channel.BasicPublishAsync("satellite", key, mandatory: true, properties, body);
    }
}
