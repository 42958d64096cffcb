using System.Globalization;
using System.Text.Json;
using Quickq.Testing;

namespace Quickq.Bench.Contestants;

/// <summary>How QuickMQ publishes: server after server, one confirm awaited after the other (quickmq_way.py, with the python3-amqp of Debian and so Debian's own interpreter).</summary>
internal static class QuickMqWay
{
    public static async Task<Measurement> MeasureAsync(IReadOnlyList<Target> targets, int messages, int bytes)
    {
        string script = Path.Combine(BuiltPrograms.PythonPackage, "..", "tests", "bench", "quickmq_way.py");
        using ChildProcess child = ChildProcess.Start(
            "/usr/bin/python3", [script, messages.ToString(CultureInfo.InvariantCulture), bytes.ToString(CultureInfo.InvariantCulture), .. targets.Select(target => target.Address)]);
        child.Stdin.Close();
        int code = await child.WaitForExitAsync(TimeSpan.FromMinutes(5));
        return code == 0
            ? JsonSerializer.Deserialize<Measurement>(child.Stdout)!
            : throw new InvalidOperationException($"quickmq_way.py ended with {code}: {child.Stderr}");
    }
}
