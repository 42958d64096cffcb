using System.Diagnostics;
using System.Globalization;
using System.Text;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Bench.Contestants;

/// <summary>Producers that hand over messages at an even pace; the body of each is the time at which it was handed over, before the durable commit.</summary>
/// <param name="Name">As it stands in the table.</param>
/// <param name="Fastest">What it can do a second.</param>
/// <param name="RunAsync">Produces into the spool: path, messages a second, how many.</param>
internal sealed record PacedProducer(string Name, int Fastest, Func<string, int, int, Task> RunAsync)
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    public static IReadOnlyList<PacedProducer> All { get; } =
    [
        new("`add --lines`", int.MaxValue, ProduceLinesAsync),
        new("`add`, a process each", 50, ProduceByProcessesAsync),
        new("Python", int.MaxValue, ProducePythonAsync),
        new(".NET", int.MaxValue, ProduceAsync),
    ];

    /// <summary>The clock that all producers and the consumer read: microseconds since the epoch.</summary>
    public static long Now() => (TimeProvider.System.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    /// <summary>Bodies of so many bytes, from this process, until it is told that they are enough.</summary>
    public static async Task ProduceAsync(string path, int rate, int count, int bytes, CancellationToken enough)
    {
        using SpoolWriter writer = SpoolWriter.Open(path);
        byte[] body = new byte[bytes];
        await PaceAsync(rate, count, () =>
        {
            writer.Append(AgentDrain.Message(body));
            return Task.CompletedTask;
        }, enough);
    }

    private static async Task ProduceAsync(string path, int rate, int count)
    {
        using SpoolWriter writer = SpoolWriter.Open(path);
        await PaceAsync(rate, count, () =>
        {
            writer.Append(AgentDrain.Message(Encoding.ASCII.GetBytes(Text(Now()))));
            return Task.CompletedTask;
        });
    }

    private static async Task ProduceLinesAsync(string path, int rate, int count)
    {
        using ChildProcess child = new SpoolCommand(path).Start("add", "--lines", "-t", Target.Topic);
        await PaceAsync(rate, count, async () =>
        {
            await child.Stdin.WriteAsync($"{Text(Now())}\n");
            await child.Stdin.FlushAsync();
        });
        child.Stdin.Close();
        int code = await child.WaitForExitAsync(Limit);
        if (code != 0)
        {
            throw new InvalidOperationException($"add --lines ended with {code}: {child.Stderr}");
        }
    }

    private static Task ProduceByProcessesAsync(string path, int rate, int count)
    {
        var command = new SpoolCommand(path);
        return PaceAsync(rate, count, async () => (await command.RunAsync("add", "-t", Target.Topic, Text(Now()))).MustSucceed());
    }

    private static Task ProducePythonAsync(string path, int rate, int count) => PythonScript.RunAsync("latency_producer.py", [path, Text(rate), Text(count), Target.Topic]);

    /// <summary>Does something at an even pace.</summary>
    public static async Task PaceAsync(int rate, int count, Func<Task> produce, CancellationToken enough = default)
    {
        long start = Stopwatch.GetTimestamp();
        for (int done = 0; done < count && !enough.IsCancellationRequested;)
        {
            if (done < Stopwatch.GetElapsedTime(start).TotalSeconds * rate)
            {
                await produce();
                done++;
            }
            else
            {
                // Not a tick each: who waits for the next second does not wake for it a thousand times.
                var due = TimeSpan.FromSeconds((double)done / rate) - Stopwatch.GetElapsedTime(start);
                await Task.Delay(due > Tick ? due : Tick, TimeProvider.System);
            }
        }
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
