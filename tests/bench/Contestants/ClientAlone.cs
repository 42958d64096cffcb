using System.Globalization;
using System.Text.Json;
using System.Threading.RateLimiting;
using Quickq.Testing;
using RabbitMQ.Client;

namespace Quickq.Bench.Contestants;

/// <summary>RabbitMQ.Client without Quickq, in a process of its own: persistent messages, confirms on, at most a window of them unconfirmed, one connection to each target.</summary>
/// <remarks>As with the agent, the clock runs from the first tenth of the messages to the end: the start of the program and of its code is no part of a rate.</remarks>
internal static class ClientAlone
{
    /// <summary>The first argument of the contestant that publishes at an even pace, and what it prints when it begins to.</summary>
    public const string OneByOne = "one-by-one", Ready = "ready";

    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    /// <summary>Starts the contestant and gives what it measured. <paramref name="tracking"/>: the client's own tracking and limiter instead of own handling of acks.</summary>
    public static async Task<Measurement> MeasureAsync(IReadOnlyList<Target> targets, int messages, int bytes, int window, bool tracking, IReadOnlyDictionary<string, string?>? environment = null)
    {
        string[] arguments = ["contestant", tracking ? "tracking" : "acks", string.Join(',', targets.Select(target => target.Address)), Text(messages), Text(bytes), Text(window)];
        using ChildProcess child = ChildProcess.Start(Environment.ProcessPath!, arguments, environment);
        child.Stdin.Close();
        int code = await child.WaitForExitAsync(Limit);
        return code == 0
            ? JsonSerializer.Deserialize<Measurement>(child.Stdout)!
            : throw new InvalidOperationException($"the contestant ended with {code}: {child.Stderr}");
    }

    /// <summary>The contestant itself.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        (string[] addresses, int messages, int bytes, int window) = (args[1].Split(','), Number(args[2]), Number(args[3]), Number(args[4]));
        var progress = new Progress(messages * addresses.Length);
        byte[] body = new byte[bytes];
        if (args[0] is OneByOne)
        {
            await PublishOneByOneAsync(addresses, messages, body, rate: window);
            return 0;
        }

        await Task.WhenAll(addresses.Select(address => args[0] is "tracking"
            ? PublishTrackedAsync(address, messages, body, window, progress)
            : PublishAsync(address, messages, body, window, progress)));
        Measurement all = progress.Measure();
        await Console.Out.WriteLineAsync(JsonSerializer.Serialize(all with { Messages = all.Messages / addresses.Length }));
        return 0;
    }

    /// <summary>Each message to one target after the other, each confirm awaited before the next: at an even pace, after so many without one that all code is made.</summary>
    private static async Task PublishOneByOneAsync(string[] addresses, int messages, byte[] body, int rate)
    {
        const int warm = 3_000;
        var channels = new List<IChannel>();
        foreach (string address in addresses)
        {
            channels.Add(await (await ConnectAsync(address)).CreateChannelAsync(new CreateChannelOptions(true, true, null)));
        }

        async Task PublishAsync()
        {
            foreach (IChannel channel in channels)
            {
                await channel.BasicPublishAsync(Target.Exchange, Target.Topic, mandatory: true, Properties(), body);
            }
        }

        for (int i = 0; i < warm; i++)
        {
            await PublishAsync();
        }

        await Console.Out.WriteLineAsync(Ready);
        await PacedProducer.PaceAsync(rate, messages, PublishAsync);
    }

    private static async Task PublishAsync(string address, int messages, byte[] body, int window, Progress progress)
    {
        await using IConnection connection = await ConnectAsync(address);
        await using IChannel channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, false, null));
        using var room = new SemaphoreSlim(window);
        var all = new TaskCompletionSource();
        bool[] confirmed = new bool[messages + 1];
        (ulong lowest, int count) = (1, 0);
        channel.BasicAcksAsync += (_, ack) =>
        {
            int before = count;
            for (ulong tag = ack.Multiple ? lowest : ack.DeliveryTag; tag <= ack.DeliveryTag; tag++)
            {
                count += confirmed[tag] ? 0 : 1;
                confirmed[tag] = true;
            }

            while (lowest < (ulong)confirmed.Length && confirmed[lowest])
            {
                lowest++;
            }

            room.Release(count - before);
            progress.Add(count - before);
            if (count == messages)
            {
                all.TrySetResult();
            }

            return Task.CompletedTask;
        };
        for (int i = 0; i < messages; i++)
        {
            await room.WaitAsync();
            await channel.BasicPublishAsync(Target.Exchange, Target.Topic, mandatory: true, Properties(), body);
        }

        await all.Task.WaitAsync(Limit);
    }

    private static async Task PublishTrackedAsync(string address, int messages, byte[] body, int window, Progress progress)
    {
        await using IConnection connection = await ConnectAsync(address);
        using var limiter = new ConcurrencyLimiter(new ConcurrencyLimiterOptions { PermitLimit = window, QueueLimit = window });
        await using IChannel channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true, limiter));
        var inFlight = new List<Task>(window);
        for (int i = 0; i < messages; i++)
        {
            if (inFlight.Count == window)
            {
                // Half of it at a time: the other half keeps the broker busy meanwhile.
                await Task.WhenAll(inFlight.Take(window / 2));
                inFlight.RemoveRange(0, window / 2);
                progress.Add(window / 2);
            }

            inFlight.Add(channel.BasicPublishAsync(Target.Exchange, Target.Topic, mandatory: true, Properties(), body).AsTask());
        }

        await Task.WhenAll(inFlight);
        progress.Add(inFlight.Count);
    }

    private static Task<IConnection> ConnectAsync(string address)
    {
        string[] parts = address.Split(':', '/');
        return new ConnectionFactory { HostName = parts[0], Port = Number(parts[1]), VirtualHost = parts[2], AutomaticRecoveryEnabled = false }.CreateConnectionAsync("client alone");
    }

    private static BasicProperties Properties() => new()
    {
        MessageId = Guid.CreateVersion7().ToString(),
        ContentType = "application/json",
        DeliveryMode = DeliveryModes.Persistent,
        AppId = "quickq",
        Timestamp = new AmqpTimestamp(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds()),
    };

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>Counts confirms and reads the process at the first tenth and at the last one.</summary>
    private sealed class Progress(int total)
    {
        private readonly int _warm = total / 10;
        private readonly Lock _gate = new();
        private int _count;
        private int _countAtStart;
        private ProcessReading? _start;
        private ProcessReading? _end;

        public void Add(int count)
        {
            lock (_gate)
            {
                _count += count;
                if (_start is null && _count >= _warm)
                {
                    (_start, _countAtStart) = (ProcessReading.Of(Environment.ProcessId), _count);
                }

                if (_count == total)
                {
                    _end = ProcessReading.Of(Environment.ProcessId);
                }
            }
        }

        public Measurement Measure() => Measurement.Between(_start!, _end!, total - _countAtStart);
    }
}
