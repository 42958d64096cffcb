using RabbitMQ.Client;

namespace Quickq.Testing;

/// <summary>A durable queue behind a durable topic exchange: what a consumer of one server would receive.</summary>
/// <remarks>Every call opens a connection of its own, so the node may be killed and restarted between calls.</remarks>
public sealed class BrokerQueue
{
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
        var messages = new List<QueuedMessage>();
        while (await channel.BasicGetAsync(Name, autoAck: true) is { } message)
        {
            messages.Add(new QueuedMessage(
                message.BasicProperties.MessageId, message.Exchange, message.RoutingKey, message.Body.ToArray(), message.BasicProperties, message.Redelivered));
        }

        return messages;
    }

    /// <summary>Waits until so many messages lie in it.</summary>
    public Task AwaitCountAsync(int expected, TimeSpan limit) =>
        Eventually.Gives($"queue {Name} of node {_node.Name} holds {expected} messages", expected, limit, CountAsync);
}
