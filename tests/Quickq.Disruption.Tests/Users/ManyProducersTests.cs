using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>Fifty producers at once: bash, Python of every version that is here, .NET; the agent drains, status is read, the log is checkpointed.</summary>
/// <remarks>
/// Ten thousand messages; a million with QUICKQ_LONG=1. How long an add took is told, not judged: the machine may be busy. The first add of each process is told apart: it
/// opens the spool while fifty programs start.
/// </remarks>
[Collection<TwoNodesCollection>]
public sealed class ManyProducersTests(VirtualHostPair hosts, ITestOutputHelper output) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private const string Singles = """for i in $(seq "$1"); do "$0" add -t some.key '{"from":"bash"}' || exit; done""";
    private const string Lines = """for i in $(seq "$1"); do echo '{"from":"bash lines"}'; done | "$0" add --lines -t some.key""";

    private const string Python =
        """
        import sys, time, quickq
        times = []
        for i in range(int(sys.argv[1])):
            begun = time.monotonic()
            mid = quickq.publish({"from": "Python"}, route_key="some.key")
            times.append(time.monotonic() - begun)
            print(mid)
        print("times", *("%.6f" % t for t in times))
        """;

    private static readonly bool IsLong = Environment.GetEnvironmentVariable("QUICKQ_LONG") is "1";
    private static readonly int Scale = IsLong ? 100 : 1;
    private static readonly TimeSpan Limit = IsLong ? TimeSpan.FromHours(3) : TimeSpan.FromMinutes(4);
    private readonly ConcurrentBag<double> _first = [], _seconds = [];

    public async ValueTask InitializeAsync() => await hosts.First.EnsureServingAsync();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact(Timeout = 12_000_000)]
    public async Task All_that_was_accepted_arrives_once_and_nobody_sees_a_locked_database()
    {
        using var spool = new TempSpool();
        BrokerQueue queue = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "satellite");
        using AgentProcess agent = AgentProcess.Start(new AgentConfiguration(spool.Path).WithServer("mq1", hosts.First, hosts.Name, "satellite"));
        await spool.AwaitServersAsync(Limit);
        string[] interpreters = FindInterpreters();
        output.WriteLine($"Python: {string.Join(' ', interpreters)}");

        // 8 x 10 + 12 x 320 + 20 x 200 + 10 x 208 = 10,000
        List<ChildProcess> children =
        [
            .. Enumerable.Range(0, 8).Select(_ => StartBash(spool, Singles, 10 * Scale)),
            .. Enumerable.Range(0, 12).Select(_ => StartBash(spool, Lines, 320 * Scale)),
            .. Enumerable.Range(0, 20).Select(i => StartPython(spool, interpreters[i % interpreters.Length], 200 * Scale)),
        ];
        Task<string[]>[] writers = [.. Enumerable.Range(0, 10).Select(_ => Task.Factory.StartNew(() => Append(spool, 208 * Scale), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        Task<int> watching = WatchAsync(spool, children);
        var accepted = new List<string>();
        foreach (ChildProcess child in children)
        {
            int code = await child.WaitForExitAsync(Limit);
            Assert.True(code == 0, $"exit {code}: {child.Stderr}");
            Assert.DoesNotContain("locked", child.Stderr, StringComparison.Ordinal);
            accepted.AddRange(IdsOf(child.Stdout));
        }

        foreach (Task<string[]> writer in writers)
        {
            accepted.AddRange(await writer.WaitAsync(Limit, TestContext.Current.CancellationToken));
        }

        await spool.AwaitDeliveredAsync(10_000 * Scale, Limit, "mq1");
        int looks = await watching;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"status was read {looks} times meanwhile"));
        TellTimes();
        Assert.Equal(10_000 * Scale, accepted.Count);
        IReadOnlyList<QueuedMessage> found = await queue.DrainAsync();
        Assert.Equal(accepted.Order(StringComparer.Ordinal), found.Select(message => message.MessageId!).Order(StringComparer.Ordinal));
        Assert.Equal(0, await agent.StopAsync());
        children.ForEach(child => child.Dispose());
    }

    private static ChildProcess StartBash(TempSpool spool, string script, int count) =>
        ChildProcess.Start("bash", ["-c", script, BuiltPrograms.SpoolCli, count.ToString(CultureInfo.InvariantCulture)], PythonProgram.Variables(spool.Path));

    private static ChildProcess StartPython(TempSpool spool, string python, int count) =>
        PythonProgram.StartWith(python, spool, Python, count.ToString(CultureInfo.InvariantCulture));

    private string[] Append(TempSpool spool, int count)
    {
        using SpoolWriter writer = SpoolWriter.Open(spool.Path);
        string[] ids = new string[count];
        for (int i = 0; i < count; i++)
        {
            long begun = Stopwatch.GetTimestamp();
            ids[i] = writer.Append(new OutgoingMessage { RoutingKey = "some.key", Body = """{"from":".NET"}"""u8.ToArray() });
            (i == 0 ? _first : _seconds).Add(Stopwatch.GetElapsedTime(begun).TotalSeconds);
        }

        return ids;
    }

    private static async Task<int> WatchAsync(TempSpool spool, List<ChildProcess> children)
    {
        int times = 0;
        while (children.Any(child => !child.HasExited))
        {
            (await new SpoolCommand(spool).RunAsync("status")).MustSucceed();
            times++;
        }

        return times;
    }

    private IEnumerable<string> IdsOf(string printed)
    {
        foreach (string line in printed.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!line.StartsWith("times ", StringComparison.Ordinal))
            {
                yield return line;
                continue;
            }

            double[] times = [.. line.Split(' ').Skip(1).Select(time => double.Parse(time, CultureInfo.InvariantCulture))];
            _first.Add(times[0]);
            foreach (double time in times[1..])
            {
                _seconds.Add(time);
            }
        }
    }

    private void TellTimes()
    {
        Tell("the first adds of Python and .NET programs, the machine busy with starting them", _first);
        Tell("adds by Python and .NET after that (goal for p99: 250 ms)", _seconds);
    }

    private void Tell(string what, IEnumerable<double> seconds)
    {
        double[] sorted = [.. seconds.Order()];
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{sorted.Length} {what}: median {1000 * sorted[sorted.Length / 2]:0.0} ms, p99 {1000 * sorted[sorted.Length * 99 / 100]:0.0} ms, longest {1000 * sorted[^1]:0.0} ms"));
    }

    /// <summary>Every Python from 3.6 on, each once.</summary>
    private static string[] FindInterpreters()
    {
        string versions = Path.Combine(Environment.GetEnvironmentVariable("PYENV_ROOT") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".pyenv"), "versions");
        IEnumerable<string> own = Directory.Exists(versions) ? Directory.GetDirectories(versions, "3.*").Order(StringComparer.Ordinal).Select(folder => Path.Combine(folder, "bin", "python3")) : [];
        return [.. own.Append("/usr/bin/python3").Where(File.Exists)];
    }
}
