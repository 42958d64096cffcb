using System.Collections.Concurrent;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Quickq.Testing;

/// <summary>A durable queue behind a durable topic exchange: what a consumer of one server would receive.</summary>
/// <remarks>Every call opens a connection of its own, so the node may be killed and restarted between calls.</remarks>
public sealed class BrokerQueue
{
    private static readonly TimeSpan DrainLimit = TimeSpan.FromSeconds(180);
    private readonly RabbitNode _node;

    private BrokerQueue(RabbitNode node, string virtualHost, string exchange, string name)
    {
        _node = node;
        VirtualHost = virtualHost;
        Exchange = exchange;
        Name = name;
    }

    public string VirtualHost { get; }

    public string Exchange { get; }

    public string Name { get; }

    /// <summary>Declares the exchange, a queue and the binding between them.</summary>
    /// <param name="pattern">The binding key; everything if not given.</param>
    /// <param name="arguments">Arguments of the queue, for example x-max-length with x-overflow.</param>
    public static async Task<BrokerQueue> DeclareAsync(
        RabbitNode node, string virtualHost, string exchange, string name = "everything", string pattern = "#", IDictionary<string, object?>? arguments = null)
    {
        await using var connection = await node.ConnectAsync(virtualHost, $"declare {name}");
        await using var channel = await connection.CreateChannelAsync();
        await channel.ExchangeDeclareAsync(exchange, ExchangeType.Topic, durable: true, autoDelete: false);
        await channel.QueueDeclareAsync(name, durable: true, exclusive: false, autoDelete: false, arguments);
        await channel.QueueBindAsync(name, exchange, pattern);
        return new BrokerQueue(node, virtualHost, exchange, name);
    }

    /// <summary>The queue of the same name on another node.</summary>
    public BrokerQueue On(RabbitNode node) => new(node, VirtualHost, Exchange, Name);

    /// <summary>How many messages lie in it.</summary>
    public async Task<int> CountAsync()
    {
        await using var connection = await _node.ConnectAsync(VirtualHost, $"count {Name}");
        await using var channel = await connection.CreateChannelAsync();
        return checked((int)await channel.MessageCountAsync(Name));
    }

    /// <summary>Takes everything out of it, in the queue's order.</summary>
    public async Task<IReadOnlyList<QueuedMessage>> DrainAsync()
    {
        await using var connection = await _node.ConnectAsync(VirtualHost, $"drain {Name}");
        await using var channel = await connection.CreateChannelAsync();
        var messages = new ConcurrentQueue<QueuedMessage>();
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += (_, message) =>
        {
            messages.Enqueue(new QueuedMessage(
                Name, message.BasicProperties.MessageId, message.Exchange, message.RoutingKey, message.Body.ToArray(), message.BasicProperties, message.Redelivered));
            return Task.CompletedTask;
        };
        while (await channel.MessageCountAsync(Name) is var left and > 0)
        {
            var whole = messages.Count + (int)left;
            var tag = await channel.BasicConsumeAsync(Name, autoAck: true, consumer);
            await Eventually.Is($"all {whole} messages of queue {Name} of node {_node.Name} are taken", DrainLimit, () => messages.Count >= whole);
            await channel.BasicCancelAsync(tag);
        }

        return [.. messages];
    }

    /// <summary>Waits until so many messages lie in it.</summary>
    public Task AwaitCountAsync(int expected, TimeSpan limit) =>
        Eventually.Gives($"queue {Name} of node {_node.Name} holds {expected} messages", expected, limit, CountAsync);
}
