using System.Globalization;
using System.Text.Json;

namespace Quickq.Bench.Contestants;

/// <summary>How QuickMQ publishes: server after server, one confirm awaited after the other (quickmq_way.py, with the python3-amqp of Debian and so Debian's own interpreter).</summary>
internal static class QuickMqWay
{
    /// <param name="targets">Where to.</param>
    /// <param name="messages">How many.</param>
    /// <param name="bytes">Of what size.</param>
    /// <param name="transient">As QuickMQ itself: its messages do not survive a restart of the broker.</param>
    public static async Task<Measurement> MeasureAsync(IReadOnlyList<Target> targets, int messages, int bytes, bool transient = false) => JsonSerializer.Deserialize<Measurement>(
        await PythonScript.RunAsync("quickmq_way.py", [.. transient ? (string[])["--transient"] : [], Text(messages), Text(bytes), .. targets.Select(target => target.Address)]))!;

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
