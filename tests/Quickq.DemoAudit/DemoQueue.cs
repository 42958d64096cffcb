using RabbitMQ.Client;

namespace Quickq.DemoAudit;

/// <summary>The queue that stands for all consumers of one server.</summary>
internal static class DemoQueue
{
    private const string Exchange = "satellite";
    private const string Queue = "everything";

    public static async Task DeclareAsync(int port)
    {
        await using var connection = await ConnectAsync(port);
        await using var channel = await connection.CreateChannelAsync();
        await channel.ExchangeDeclareAsync(Exchange, ExchangeType.Topic, durable: true);
        await channel.QueueDeclareAsync(Queue, durable: true, exclusive: false, autoDelete: false);
        await channel.QueueBindAsync(Queue, Exchange, "#");
    }

    /// <summary>Reads the queue to its end and leaves everything in it: nothing is acknowledged.</summary>
    public static async Task<IReadOnlyList<FoundMessage>> ReadAsync(int port)
    {
        await using var connection = await ConnectAsync(port);
        await using var channel = await connection.CreateChannelAsync();
        var found = new List<FoundMessage>();
        while (await channel.BasicGetAsync(Queue, autoAck: false) is { } message)
        {
            found.Add(new FoundMessage(message.BasicProperties.MessageId ?? "", message.RoutingKey, message.Body.ToArray()));
        }

        return found;
    }

    private static Task<IConnection> ConnectAsync(int port) =>
        new ConnectionFactory
        {
            HostName = "127.0.0.1",
            Port = port,
            AutomaticRecoveryEnabled = false,
            RequestedConnectionTimeout = TimeSpan.FromSeconds(5),
        }.CreateConnectionAsync("demo-audit");
}
