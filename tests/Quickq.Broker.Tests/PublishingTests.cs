using System.Text;
using Quickq.Agent.Broker;
using Quickq.Spool;
using Quickq.Testing;
using RabbitMQ.Client;

namespace Quickq.Broker.Tests;

[Collection<OneNodeCollection>]
public sealed class PublishingTests(VirtualHost virtualHost) : IClassFixture<VirtualHost>, IAsyncLifetime
{
    private readonly ConfirmRecorder _heard = new();
    private BrokerConnection _connection = null!;
    private ConfirmedPublisher _publisher = null!;
    private BrokerQueue _queue = null!;

    public async ValueTask InitializeAsync()
    {
        _queue = await BrokerQueue.DeclareAsync(virtualHost.Node, virtualHost.Name, Configured.Exchange, $"q{Guid.NewGuid():N}", "geo.#");
        _connection = await BrokerConnection.OpenAsync(Configured.Server(virtualHost.Node, virtualHost.Name), lost: null, CancellationToken.None);
        _publisher = await _connection.OpenPublisherAsync(_heard, CancellationToken.None);
    }

    public async ValueTask DisposeAsync() => await _connection.DisposeAsync();

    [Fact(Timeout = 60_000)]
    public async Task A_message_that_the_broker_took_is_confirmed_by_its_tag()
    {
        Assert.Equal(1UL, _publisher.NextTag);
        await _publisher.PublishAsync(Configured.Message("m1"), mandatory: true);
        Assert.Equal(2UL, _publisher.NextTag);

        await _heard.AwaitAsync("confirmed 1");

        Assert.Equal(["confirmed 1"], _heard.Words);
        var message = Assert.Single(await _queue.DrainAsync());
        Assert.Equal(("m1", "geo.goes", Configured.Exchange), (message.MessageId, message.RoutingKey, message.Exchange));
        Assert.Equal([1, 2, 3], message.Body);
        Assert.Equal($"{virtualHost.Node.Host}:{virtualHost.Node.Port}", _connection.Endpoint);
    }

    [Fact(Timeout = 60_000)]
    public async Task Many_messages_are_confirmed_several_at_a_time_and_arrive_in_order()
    {
        const int count = 5_000;
        for (var i = 1; i <= count; i++)
        {
            await _publisher.PublishAsync(Configured.Message($"m{i}"), mandatory: false);
        }

        await Eventually.Gives("all are confirmed", (ulong)count, TimeSpan.FromSeconds(30), () => _heard.ConfirmedTo);
        Assert.True(_heard.MultipleCount > 0, "no confirm was for several messages");
        Assert.Equal(Enumerable.Range(1, count).Select(i => $"m{i}"), (await _queue.DrainAsync()).Select(message => message.MessageId!));
    }

    [Fact(Timeout = 60_000)]
    public async Task An_unroutable_message_comes_back_before_its_confirm_if_it_is_mandatory()
    {
        await _publisher.PublishAsync(Configured.Message("m1", key: "leo.jpss"), mandatory: true);
        await _publisher.PublishAsync(Configured.Message("m2", key: "leo.jpss"), mandatory: false);

        await _heard.AwaitAsync("confirmed 2");

        Assert.Equal(["returned m1 312 NO_ROUTE", "confirmed 1", "confirmed 2"], _heard.Words);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_full_queue_that_rejects_nacks_the_message_and_the_channel_goes_on()
    {
        await BrokerQueue.DeclareAsync(virtualHost.Node, virtualHost.Name, Configured.Exchange, "full", "full.#",
            new Dictionary<string, object?>(StringComparer.Ordinal) { ["x-max-length"] = 1, ["x-overflow"] = "reject-publish" });

        for (var i = 1; i <= 3; i++)
        {
            await _publisher.PublishAsync(Configured.Message($"m{i}", key: "full.up"), mandatory: true);
            await Eventually.Is($"message {i} is answered", TimeSpan.FromSeconds(10), () => _heard.Words.Count == i);
        }

        await _publisher.PublishAsync(Configured.Message("m4"), mandatory: true);
        await _heard.AwaitAsync("confirmed 4");

        Assert.Equal("confirmed 1", _heard.Words[0]);
        Assert.Contains("nacked 3", _heard.Words);
        Assert.False(_connection.Lost.IsCompleted);
    }

    [Fact(Timeout = 60_000)]
    public async Task Properties_arrive_as_given_and_nothing_is_added()
    {
        var properties = new MessageProperties
        {
            ContentType = "application/json",
            Priority = 7,
            Headers = new Dictionary<string, object?>(StringComparer.Ordinal)
            {
                ["text"] = "grüße 🛰",
                ["long"] = long.MinValue,
                ["double"] = 0.1,
                ["yes"] = true,
                ["no"] = false,
                ["nothing"] = null,
            },
        };

        await _publisher.PublishAsync(Configured.Message("m1", properties: properties, expiration: TimeSpan.FromHours(1)), mandatory: true);
        await _heard.AwaitAsync("confirmed 1");

        var arrived = Assert.Single(await _queue.DrainAsync()).Properties;
        Assert.Equal(("application/json", 7, "3600000", "m1", "quickq"), (arrived.ContentType, arrived.Priority, arrived.Expiration, arrived.MessageId, arrived.AppId));
        Assert.Equal(DeliveryModes.Persistent, arrived.DeliveryMode);
        Assert.Equal(1_700_000_000, arrived.Timestamp.UnixTime);
        Assert.Equal(["double", "long", "no", "nothing", "text", "yes"], arrived.Headers!.Keys.Order(StringComparer.Ordinal));
        Assert.Equal("grüße 🛰", Encoding.UTF8.GetString((byte[])arrived.Headers["text"]!));
        Assert.Equal((long.MinValue, 0.1, true, false, null), (arrived.Headers["long"], arrived.Headers["double"], arrived.Headers["yes"], arrived.Headers["no"], arrived.Headers["nothing"]));
        AssertNothingElse(arrived);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_message_without_properties_has_no_header_and_is_persistent_a_transient_one_is_not()
    {
        await _publisher.PublishAsync(Configured.Message("m1"), mandatory: true);
        await _publisher.PublishAsync(Configured.Message("m2", properties: new MessageProperties { Transient = true }, expiration: TimeSpan.FromDays(60)), mandatory: true);
        await _heard.AwaitAsync("confirmed 2");

        var messages = await _queue.DrainAsync();
        Assert.All(messages, message => Assert.Empty(message.Properties.Headers ?? new Dictionary<string, object?>(StringComparer.Ordinal)));
        Assert.All(messages, message => AssertNothingElse(message.Properties));
        Assert.All(messages, message => Assert.False(message.Properties.IsContentTypePresent() || message.Properties.IsPriorityPresent() || message.Properties.IsExpirationPresent()));
        Assert.Equal([DeliveryModes.Persistent, DeliveryModes.Transient], messages.Select(message => message.Properties.DeliveryMode));
    }

    [Fact(Timeout = 60_000)]
    public async Task What_AMQP_cannot_carry_is_refused_alone_and_the_publisher_goes_on()
    {
        var longKey = Assert.Throws<UnsendableMessageException>(() => { _ = _publisher.PublishAsync(Configured.Message("m", key: new string('ü', 128)), mandatory: true); });
        Assert.Equal("the routing key takes 256 bytes, AMQP allows 255", longKey.Message);
        var longName = new Dictionary<string, object?>(StringComparer.Ordinal) { [new string('h', 256)] = 1L };
        Assert.Throws<UnsendableMessageException>(() => { _ = _publisher.PublishAsync(Configured.Message("m", properties: new() { Headers = longName }), mandatory: true); });
        var large = new Dictionary<string, object?>(StringComparer.Ordinal) { ["h"] = new string('x', 140_000) };
        var tooLarge = Assert.Throws<UnsendableMessageException>(() => { _ = _publisher.PublishAsync(Configured.Message("m", properties: new() { Headers = large }), mandatory: true); });
        Assert.Matches(@"\Athe headers take 1400\d\d bytes, the server takes 131072\z", tooLarge.Message);
        Assert.Equal(1UL, _publisher.NextTag);

        // To the byte: the largest headers that the server takes get through.
        var largest = new Dictionary<string, object?>(StringComparer.Ordinal) { ["h"] = new string('x', 140_000 - (int.Parse(tooLarge.Message.Split(' ')[3], null) - 131_072)) };
        await _publisher.PublishAsync(Configured.Message("m", key: new string('g', 255), properties: new() { Headers = largest }), mandatory: false);
        await _publisher.PublishAsync(Configured.Message("m2"), mandatory: true);
        await _heard.AwaitAsync("confirmed 2");
        Assert.False(_connection.Lost.IsCompleted);
    }

    [Fact(Timeout = 60_000)]
    public async Task The_connection_has_the_name_that_operators_look_for() =>
        Assert.Contains($"quickq@{Environment.MachineName}", await virtualHost.Node.CtlAsync("list_connections", "client_properties"), StringComparison.Ordinal);

    private static void AssertNothingElse(IReadOnlyBasicProperties properties) =>
        Assert.False(properties.IsCorrelationIdPresent() || properties.IsReplyToPresent() || properties.IsTypePresent()
            || properties.IsUserIdPresent() || properties.IsClusterIdPresent() || properties.IsContentEncodingPresent());
}
