using System.Diagnostics;
using Quickq.Agent.Broker;
using Quickq.Testing;

namespace Quickq.Broker.Tests;

[Collection<OneNodeCollection>]
public sealed class ConnectionLossTests(VirtualHost virtualHost) : IClassFixture<VirtualHost>, IAsyncLifetime
{
    // At 100 kB each: more than the client's queue of 128 messages and the buffers of two sockets hold.
    private const int MuchCount = 500;

    private static readonly TimeSpan Seconds = TimeSpan.FromSeconds(10);
    private readonly RabbitNode _node = virtualHost.Node;
    private readonly ConfirmRecorder _heard = new();
    private BrokerConnection _connection = null!;

    public async ValueTask InitializeAsync()
    {
        if (!_node.IsRunning)
        {
            await _node.StartAsync();
        }

        // A node accepts connections a moment before it takes commands.
        await _node.CtlAsync("await_startup");

        await BrokerQueue.DeclareAsync(_node, virtualHost.Name, Configured.Exchange);
        _connection = await BrokerConnection.OpenAsync(Configured.Server(_node, virtualHost.Name), lost: null, CancellationToken.None);
    }

    public async ValueTask DisposeAsync() => await _connection.DisposeAsync();

    [Fact(Timeout = 60_000)]
    public async Task A_missing_exchange_closes_the_channel_with_the_brokers_words_and_not_the_connection()
    {
        var other = new ConfirmRecorder();
        await using var publisher = await _connection.OpenPublisherAsync(_heard, CancellationToken.None);
        await using var neighbour = await _connection.OpenPublisherAsync(other, CancellationToken.None);

        await publisher.PublishAsync(Configured.Message("m1", exchange: "nowhere"), mandatory: true);
        await _heard.AwaitAsync("closed");

        Assert.Equal([$"closed 404 NOT_FOUND - no exchange 'nowhere' in vhost '{virtualHost.Name}'"], _heard.Words);
        var refused = await Assert.ThrowsAsync<BrokerUnavailableException>(async () => await publisher.PublishAsync(Configured.Message("m2"), mandatory: true));
        Assert.Equal($"the broker closed the channel: NOT_FOUND - no exchange 'nowhere' in vhost '{virtualHost.Name}'", refused.Message);
        Assert.False(_connection.Lost.IsCompleted);
        await neighbour.PublishAsync(Configured.Message("m3"), mandatory: true);
        await other.AwaitAsync("confirmed 1");
        await using var next = await _connection.OpenPublisherAsync(other, CancellationToken.None);
        await next.PublishAsync(Configured.Message("m4"), mandatory: true);
        await Eventually.Gives("the new channel confirms", 2, Seconds, () => other.Words.Count);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_killed_node_is_noticed_within_seconds()
    {
        await using var publisher = await _connection.OpenPublisherAsync(_heard, CancellationToken.None);

        _node.Kill();
        var reason = await _connection.Lost.WaitAsync(Seconds, TimeProvider.System);

        Assert.True(reason is "the broker hung up without a word" or "the connection was reset by the broker's host or something on the way", reason);
        await _heard.AwaitAsync("closed");
        Assert.Equal([$"closed 0 {reason}"], _heard.Words);
        var refused = await Assert.ThrowsAsync<BrokerUnavailableException>(async () => await publisher.PublishAsync(Configured.Message("m1"), mandatory: true));
        Assert.Equal(reason, refused.Message);
        Assert.Equal(reason, (await Assert.ThrowsAsync<BrokerUnavailableException>(() => _connection.OpenPublisherAsync(_heard, CancellationToken.None))).Message);
        await AssertDisposedWithin(TimeSpan.FromSeconds(2));
        await _node.RestartAsync();
    }

    [Fact(Timeout = 120_000)]
    public async Task A_stopped_node_says_why_it_goes()
    {
        await using var publisher = await _connection.OpenPublisherAsync(_heard, CancellationToken.None);

        await _node.StopAsync();

        var reason = await _connection.Lost.WaitAsync(Seconds, TimeProvider.System);
        Assert.StartsWith("the broker closed the connection: CONNECTION_FORCED", reason, StringComparison.Ordinal);
        await _heard.AwaitAsync($"closed 0 {reason}");
        await _node.StartAsync();
    }

    [Fact(Timeout = 120_000)]
    public async Task An_operator_who_closes_the_connection_is_heard()
    {
        await _node.CtlAsync("close_all_connections", "--vhost", virtualHost.Name, "maintenance at noon");
        Assert.Equal("the broker closed the connection: CONNECTION_FORCED - maintenance at noon", await _connection.Lost.WaitAsync(Seconds, TimeProvider.System));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_memory_alarm_blocks_with_the_brokers_reason_until_it_ends()
    {
        await using var publisher = await _connection.OpenPublisherAsync(_heard, CancellationToken.None);
        var changes = 0;
        _connection.BlockedChanged += () => Interlocked.Increment(ref changes);
        Assert.Null(_connection.BlockedReason);

        await _node.CtlAsync("set_vm_memory_high_watermark", "0.0001");
        try
        {
            // The broker blocks whoever publishes.
            await publisher.PublishAsync(Configured.Message("m1"), mandatory: true);
            await Eventually.Is("the connection is blocked", Seconds, () => _connection.BlockedReason is not null);
            Assert.Equal("low on memory", _connection.BlockedReason);
        }
        finally
        {
            await _node.CtlAsync("set_vm_memory_high_watermark", "0.6");
        }

        await _heard.AwaitAsync("confirmed 1");
        await Eventually.Is("the connection is no longer blocked", Seconds, () => _connection.BlockedReason is null);
        Assert.Equal(2, changes);
        Assert.False(_connection.Lost.IsCompleted);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_long_alarm_with_full_buffers_costs_neither_the_link_nor_a_publish()
    {
        var deadlines = new BrokerDeadlines { Publish = TimeSpan.FromSeconds(3), Unacknowledged = TimeSpan.FromSeconds(3) };
        await using var connection = await BrokerConnection.OpenAsync(Configured.Server(_node, virtualHost.Name), deadlines, TimeProvider.System, CancellationToken.None);
        await using var publisher = await connection.OpenPublisherAsync(_heard, CancellationToken.None);
        await _node.CtlAsync("set_vm_memory_high_watermark", "0.0001");
        Task publishing;
        try
        {
            await publisher.PublishAsync(Configured.Message("m1"), mandatory: true);
            await Eventually.Is("the connection is blocked", Seconds, () => connection.BlockedReason is not null);

            // More than all buffers on the way hold: the last publish must wait, longer than any deadline.
            publishing = PublishMuchAsync(publisher);
            await Assert.ThrowsAsync<TimeoutException>(() => publishing.WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System));
            Assert.False(connection.Lost.IsCompleted);
        }
        finally
        {
            await _node.CtlAsync("set_vm_memory_high_watermark", "0.6");
        }

        await publishing;
        await Eventually.Gives("all are confirmed", 1UL + MuchCount, TimeSpan.FromSeconds(30), () => _heard.ConfirmedTo);
        Assert.False(connection.Lost.IsCompleted);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_publish_that_hangs_gives_the_connection_up_and_nothing_hangs_with_it()
    {
        var deadlines = new BrokerDeadlines { Publish = TimeSpan.FromSeconds(2) };
        var connection = await BrokerConnection.OpenAsync(Configured.Server(_node, virtualHost.Name), deadlines, TimeProvider.System, CancellationToken.None);
        var publisher = await connection.OpenPublisherAsync(_heard, CancellationToken.None);
        await _node.PauseAsync();
        try
        {
            var refused = await Assert.ThrowsAsync<BrokerUnavailableException>(() => PublishMuchAsync(publisher).WaitAsync(TimeSpan.FromSeconds(8), TimeProvider.System));

            Assert.Equal("the connection took no message for 2 s", refused.Message);
            Assert.Equal(refused.Message, await connection.Lost);
            await _heard.AwaitAsync("closed");
            Assert.Equal([$"closed 0 {refused.Message}"], _heard.Words);
            await publisher.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(1), TimeProvider.System);
            await connection.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(2), TimeProvider.System);
        }
        finally
        {
            _node.Resume();
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task A_frozen_node_cannot_hold_up_a_dispose()
    {
        await using var publisher = await _connection.OpenPublisherAsync(_heard, CancellationToken.None);
        await _node.PauseAsync();
        try
        {
            await AssertDisposedWithin(TimeSpan.FromSeconds(5));
        }
        finally
        {
            _node.Resume();
        }

        Assert.Equal("closed by the agent", await _connection.Lost);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_frozen_node_is_noticed_by_its_missing_heartbeats()
    {
        var settings = Configured.Server(_node, virtualHost.Name) with { Heartbeat = TimeSpan.FromSeconds(1) };
        await using var connection = await BrokerConnection.OpenAsync(settings, lost: null, CancellationToken.None);
        await _node.PauseAsync();
        try
        {
            Assert.Equal("no sign of life from the broker for over 2 s (heartbeat 1 s)", await connection.Lost.WaitAsync(Seconds, TimeProvider.System));
        }
        finally
        {
            _node.Resume();
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task A_goodbye_is_heard_by_the_broker()
    {
        await using var publisher = await _connection.OpenPublisherAsync(_heard, CancellationToken.None);
        await publisher.PublishAsync(Configured.Message("m1"), mandatory: true);
        await _heard.AwaitAsync("confirmed 1");

        // By its own port: the node may still be noting the ends of other tests' connections.
        string place = $"{_node.Host}:{await PeerPortAsync()} -> ";

        await AssertDisposedWithin(TimeSpan.FromSeconds(2));

        Assert.Equal("closed by the agent", await _connection.Lost);
        await Eventually.Is("the broker has noted the end of the connection", Seconds,
            () => _node.LogLinesWith(place).Any(line => line.Contains("closing AMQP connection", StringComparison.Ordinal)));
        Assert.All(_node.LogLinesWith(place), line => Assert.Contains("[info]", line, StringComparison.Ordinal));
    }

    private async Task<string> PeerPortAsync()
    {
        string table = await _node.CtlAsync("list_connections", "--silent", "peer_port", "state", "client_properties");
        string[] ours = [.. table.Split('\n').Where(line => line.Contains("quickq@", StringComparison.Ordinal) && line.Contains("running", StringComparison.Ordinal))];
        return Assert.Single(ours).Split('\t')[0];
    }

    private static async Task PublishMuchAsync(ConfirmedPublisher publisher)
    {
        for (var i = 0; i < MuchCount; i++)
        {
            await publisher.PublishAsync(Configured.Message($"m{i}") with { Body = new byte[100_000] }, mandatory: true);
        }
    }

    private async Task AssertDisposedWithin(TimeSpan limit)
    {
        var clock = Stopwatch.StartNew();
        await _connection.DisposeAsync().AsTask().WaitAsync(limit * 2, TimeProvider.System);
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, limit);
    }
}
