using System.Text.Json;
using Quickq.Testing;
using RabbitMQ.Client;

namespace Quickq.Bench.Contestants;

/// <summary>What a local broker with the Shovel plugin does with the same backlog: a durable local queue, a dynamic shovel that acknowledges on confirm, the same window.</summary>
internal sealed class ShovelDrain : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    private readonly RabbitNode _local = RabbitNode.Create("shovel");

    /// <summary>Starts the local broker.</summary>
    public static async Task<ShovelDrain> StartAsync()
    {
        var shovel = new ShovelDrain();
        await File.WriteAllTextAsync(Path.Combine(shovel._local.Folder, "enabled_plugins"), "[rabbitmq_shovel].\n");
        await shovel._local.StartAsync();
        return shovel;
    }

    /// <summary>One run, from the first tenth of the messages to the last; the processor time and the memory are those of the local broker.</summary>
    public async Task<Measurement> MeasureAsync(Target target, int messages, int bytes, int window)
    {
        await using Target source = await Target.MakeAsync(_local, "source");
        await FillAsync(source, messages, bytes);
        await using IConnection connection = await target.Node.ConnectAsync(target.VirtualHost, "count");
        await using IChannel channel = await connection.CreateChannelAsync();
        await _local.CtlAsync("set_parameter", "-p", source.VirtualHost, "shovel", "drain", JsonSerializer.Serialize(new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["src-protocol"] = "amqp091",
            ["src-uri"] = $"amqp://{source.Address}",
            ["src-queue"] = Target.Queue,
            ["src-prefetch-count"] = window,
            ["dest-protocol"] = "amqp091",
            ["dest-uri"] = $"amqp://{target.Address}",
            ["dest-exchange"] = Target.Exchange,
            ["ack-mode"] = "on-confirm",
        }));
        long first = await AwaitAsync(messages / 10);
        ProcessReading before = ProcessReading.Of(_local.Pid);
        long last = await AwaitAsync(messages);
        return Measurement.Between(before, ProcessReading.Of(_local.Pid), (int)(last - first));

        async Task<long> AwaitAsync(int wanted)
        {
            long arrived = 0;
            await Eventually.Is($"{wanted} messages came through the shovel", Limit, async () => (arrived = await channel.MessageCountAsync(Target.Queue)) >= wanted);
            return arrived;
        }
    }

    public ValueTask DisposeAsync() => _local.DisposeAsync();

    private static async Task FillAsync(Target source, int messages, int bytes)
    {
        await using IConnection connection = await source.Node.ConnectAsync(source.VirtualHost, "fill");
        await using IChannel channel = await connection.CreateChannelAsync();
        byte[] body = new byte[bytes];
        var properties = new BasicProperties { DeliveryMode = DeliveryModes.Persistent, ContentType = "application/json" };
        for (int i = 0; i < messages; i++)
        {
            await channel.BasicPublishAsync(Target.Exchange, Target.Topic, mandatory: false, properties, body);
        }

        await Eventually.Gives("the local queue is filled", messages, Limit, async () => (int)await channel.MessageCountAsync(Target.Queue));
    }
}
