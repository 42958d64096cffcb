using System.Diagnostics;
using Quickq.Testing;
using RabbitMQ.Client;

namespace Quickq.Bench;

/// <summary>RabbitMQ.Client without Quickq: persistent messages, confirms on, at most a window of them unconfirmed.</summary>
internal static class ClientAlone
{
    /// <summary>Own handling of acks: the client's tracking is off, a semaphore is the window.</summary>
    public static async Task<Measurement> WithOwnAcksAsync(RabbitNode node, string virtualHost, string exchange, int messages, int bytes, int window)
    {
        await using IConnection connection = await node.ConnectAsync(virtualHost, "client alone, own acks");
        await using IChannel channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, false, null));
        using var room = new SemaphoreSlim(window);
        var all = new TaskCompletionSource();
        ulong confirmed = 0;
        channel.BasicAcksAsync += (_, ack) =>
        {
            ulong upTo = ack.Multiple ? ack.DeliveryTag : confirmed + 1;
            room.Release((int)(upTo - confirmed));
            confirmed = upTo;
            if (confirmed == (ulong)messages)
            {
                all.TrySetResult();
            }

            return Task.CompletedTask;
        };
        byte[] body = new byte[bytes];
        return await MeasureAsync(messages, async () =>
        {
            for (int i = 0; i < messages; i++)
            {
                await room.WaitAsync();
                await channel.BasicPublishAsync(exchange, "geo.goes.g16.abi.adde.realtime.ncdf.band.end", mandatory: true, Properties(), body);
            }

            await all.Task.WaitAsync(TimeSpan.FromMinutes(5));
        });
    }

    /// <summary>The client's own tracking and rate limiter.</summary>
    public static async Task<Measurement> WithOwnTrackingAsync(RabbitNode node, string virtualHost, string exchange, int messages, int bytes, int window)
    {
        await using IConnection connection = await node.ConnectAsync(virtualHost, "client alone, own tracking");
        await using IChannel channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true, new ThrottlingRateLimiter(window)));
        byte[] body = new byte[bytes];
        return await MeasureAsync(messages, async () =>
        {
            var inFlight = new Queue<Task>(window);
            for (int i = 0; i < messages; i++)
            {
                if (inFlight.Count == window)
                {
                    await inFlight.Dequeue();
                }

                inFlight.Enqueue(channel.BasicPublishAsync(exchange, "geo.goes.g16.abi.adde.realtime.ncdf.band.end", mandatory: true, Properties(), body).AsTask());
            }

            await Task.WhenAll(inFlight);
        });
    }

    private static BasicProperties Properties() => new()
    {
        MessageId = Guid.CreateVersion7().ToString(),
        ContentType = "application/json",
        DeliveryMode = DeliveryModes.Persistent,
        AppId = "quickq",
        Timestamp = new AmqpTimestamp(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds()),
    };

    private static async Task<Measurement> MeasureAsync(int messages, Func<Task> publishAll)
    {
        using var self = Process.GetCurrentProcess();
        TimeSpan processorBefore = self.TotalProcessorTime;
        var watch = Stopwatch.StartNew();
        await publishAll();
        watch.Stop();
        self.Refresh();
        return new Measurement(messages, watch.Elapsed, self.TotalProcessorTime - processorBefore, self.WorkingSet64);
    }
}
