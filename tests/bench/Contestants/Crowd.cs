using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Bench.Contestants;

/// <summary>Fifty producers at once, each as fast as it can: eight that start a process for each message, twelve `add --lines`, twenty in Python, ten in .NET.</summary>
/// <remarks>All of them start some seconds before their adds count. producers.py has the first three kinds.</remarks>
internal sealed class Crowd
{
    public const string Processes = "add", Empty = "true", Lines = "lines", Python = "python", DotNet = ".NET";
    public const int Size = 50;

    private static readonly TimeSpan StartUp = TimeSpan.FromSeconds(5), Limit = TimeSpan.FromMinutes(20);
    private readonly List<string> _ids = [];
    private readonly Dictionary<string, List<CallTime>> _times = new(StringComparer.Ordinal);

    /// <summary>The ids of all that was accepted, also before it counted.</summary>
    public IReadOnlyList<string> Ids => _ids;

    public IReadOnlyList<CallTime> TimesOf(string kind) => _times.TryGetValue(kind, out List<CallTime>? times) ? times : [];

    /// <summary>Lets them produce for so long.</summary>
    public async Task ProduceAsync(string spool, TimeSpan length, IReadOnlyList<string> interpreters)
    {
        DateTimeOffset start = TimeProvider.System.GetUtcNow() + StartUp;
        string[] Arguments(string kind) =>
            [Path.GetFullPath(Path.Combine(BuiltPrograms.PythonPackage, "..", "tests", "bench", "producers.py")), kind, BuiltPrograms.SpoolCli, spool,
             Text(start.ToUnixTimeMilliseconds() / 1000.0), Text(length.TotalSeconds)];
        ChildProcess Start(string interpreter, string kind) => ChildProcess.Start(
            interpreter, Arguments(kind), new Dictionary<string, string?>(StringComparer.Ordinal) { ["PYTHONPATH"] = BuiltPrograms.PythonPackage, ["QUICKQ_PROGRAM"] = BuiltPrograms.SpoolCli });
        List<ChildProcess> children =
        [
            .. Enumerable.Range(0, 8).Select(_ => Start(PythonScript.System, "processes")),
            .. Enumerable.Range(0, 12).Select(_ => Start(PythonScript.System, "lines")),
            .. Enumerable.Range(0, 20).Select(i => Start(interpreters[i % interpreters.Count], "python")),
        ];
        Task[] threads = [.. Enumerable.Range(0, 10).Select(_ => Task.Factory.StartNew(
            () => Append(spool, start, start + length), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        await Task.WhenAll(threads);
        foreach (ChildProcess child in children)
        {
            int code = await child.WaitForExitAsync(Limit);
            Take(code == 0 ? child.Stdout : throw new InvalidOperationException($"a producer ended with {code}: {child.Stderr}"));
            child.Dispose();
        }
    }

    private void Take(string printed)
    {
        string[] lines = printed.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        _ids.AddRange(lines[..^1]);
        foreach ((string kind, double[][] times) in JsonSerializer.Deserialize<Dictionary<string, double[][]>>(lines[^1])!)
        {
            Add(kind, times.Select(parts => new CallTime(parts[0], parts[1], parts[2])), []);
        }
    }

    private void Append(string spool, DateTimeOffset from, DateTimeOffset to)
    {
        using SpoolWriter writer = SpoolWriter.Open(spool);
        OutgoingMessage message = AgentDrain.Message(new byte[1_000]);
        var ids = new List<string>();
        var times = new List<CallTime>();
        for (DateTimeOffset now = from - StartUp; now < to;)
        {
            (double Ran, double Queued) before = ReadSchedule();
            long begun = Stopwatch.GetTimestamp();
            ids.Add(writer.Append(message));
            double elapsed = Stopwatch.GetElapsedTime(begun).TotalMilliseconds;
            (double Ran, double Queued) after = ReadSchedule();
            if (now >= from)
            {
                times.Add(new CallTime(elapsed, after.Ran - before.Ran, after.Queued - before.Queued));
            }

            now = TimeProvider.System.GetUtcNow();
        }

        Add(DotNet, times, ids);
    }

    private void Add(string kind, IEnumerable<CallTime> times, IEnumerable<string> ids)
    {
        lock (_times)
        {
            _times[kind] = [.. TimesOf(kind), .. times];
            _ids.AddRange(ids);
        }
    }

    private static (double Ran, double Queued) ReadSchedule()
    {
        string[] words = File.ReadAllText("/proc/thread-self/schedstat").Split(' ');
        return (double.Parse(words[0], CultureInfo.InvariantCulture) / 1e6, double.Parse(words[1], CultureInfo.InvariantCulture) / 1e6);
    }

    private static string Text(double number) => number.ToString(CultureInfo.InvariantCulture);
}

/// <summary>How long one call took, in milliseconds, and how much of that its threads ran and waited for a processor. The rest went to the spool's lock and to the disk.</summary>
internal readonly record struct CallTime(double Elapsed, double Ran, double Queued)
{
    public double Rest => Math.Max(0, Elapsed - Ran - Queued);
}
