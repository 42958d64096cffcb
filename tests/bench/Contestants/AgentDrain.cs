using Quickq.Bench.Comparisons;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Bench.Contestants;

/// <summary>A spool and the real agent that drains it, measured from outside.</summary>
internal sealed class AgentDrain(AgentConfiguration configuration, IReadOnlyDictionary<string, string?>? environment = null)
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(20);
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(10);

    private readonly string _spool = configuration.SpoolPath;

    /// <summary>One run: so many messages to all targets, from the first tenth to the last.</summary>
    public static async Task<Measurement> MeasureAsync(IReadOnlyList<Target> targets, int messages, int bytes, IReadOnlyDictionary<string, string?>? environment = null)
    {
        using var spool = new TempSpool();
        var drain = new AgentDrain(Configure(spool, targets, windowBytes: (long)DrainComparison.Window * bytes), environment);
        await drain.IntroduceServersAsync();
        drain.Fill(messages, bytes);
        await FlushDiskAsync(); // else the kernel writes what the producer wrote while the agent drains
        using AgentProcess agent = drain.Start();
        Measurement measured = await drain.MeasureAsync(agent, messages / 10, messages);
        await agent.StopAsync();
        return measured;
    }

    /// <param name="spool">The spool.</param>
    /// <param name="targets">Where it sends to, as mq1, mq2 and so on.</param>
    /// <param name="windowBytes">So many bytes at least may be in flight: with large messages the window of the others is as many of them.</param>
    public static AgentConfiguration Configure(TempSpool spool, IReadOnlyList<Target> targets, long windowBytes = 0)
    {
        var configuration = new AgentConfiguration(spool.Path);
        for (int i = 0; i < targets.Count; i++)
        {
            configuration.WithServer($"mq{i + 1}", targets[i].Node, targets[i].VirtualHost, Target.Exchange, server => server["windowBytes"] = $"{Math.Max(8, windowBytes >> 20)}MiB");
        }

        return configuration;
    }

    /// <summary>The configuration is in a folder of its own, as it is in /etc: the agent watches it, and the spool's folder is full of changes.</summary>
    public AgentProcess Start()
    {
        string folder = Directory.CreateDirectory(Path.Combine(Path.GetDirectoryName(_spool)!, "etc")).FullName;
        string file = Path.Combine(folder, "quickq.json");
        configuration.WriteTo(file);
        return AgentProcess.Start(_spool, ["--config", file], environment);
    }

    private static async Task FlushDiskAsync()
    {
        using ChildProcess sync = ChildProcess.Start("sync", []);
        await sync.WaitForExitAsync(Limit);
    }

    /// <summary>Lets the spool know its servers, so that what comes is theirs at once: to assign it afterwards is another thing.</summary>
    public async Task IntroduceServersAsync()
    {
        using AgentProcess agent = Start();
        await Eventually.Is("the spool knows its servers", TimeSpan.FromMinutes(1), () => File.Exists(_spool) && Read().Count > 0);
        await agent.StopAsync();
    }

    /// <summary>What waits for the first server.</summary>
    public long Pending => Read()[0].Pending;

    /// <summary>Appends messages, a thousand in a transaction.</summary>
    public void Fill(int messages, int bytes)
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool);
        byte[] body = new byte[bytes];
        for (int done = 0; done < messages; done += 1_000)
        {
            writer.AppendMany([.. Enumerable.Range(0, Math.Min(1_000, messages - done)).Select(_ => Message(body))]);
        }
    }

    /// <summary>Appends any number of messages of 1 kB by the program itself: with no agent there it also keeps the log small.</summary>
    public async Task FillAsync(int messages)
    {
        const int AtOnce = 50_000;
        byte[] line = [.. Enumerable.Repeat((byte)'x', 1_000), (byte)'\n'];
        for (int done = 0; done < messages; done += AtOnce)
        {
            byte[] lines = [.. Enumerable.Repeat(line, Math.Min(AtOnce, messages - done)).SelectMany(one => one)];
            (await new SpoolCommand(_spool).RunWithInputAsync(lines, "add", "--lines", "-t", Target.Topic)).MustSucceed();
        }
    }

    public static OutgoingMessage Message(ReadOnlyMemory<byte> body) =>
        new() { RoutingKey = Target.Topic, Body = body, Properties = new MessageProperties { ContentType = "application/json" } };

    /// <summary>Measures the agent from the moment when every server (of those named) has the first count to the moment when it has the second.</summary>
    public async Task<Measurement> MeasureAsync(AgentProcess agent, int from, int to, Func<ServerOverview, bool>? counted = null)
    {
        using SpoolReader reader = SpoolReader.Open(_spool);
        long Delivered() => reader.ReadOverview().Servers.Where(counted ?? (_ => true)).Select(server => server.Delivered).DefaultIfEmpty().Min();
        long first = await AwaitAsync(agent, Delivered, from);
        ProcessReading before = ProcessReading.Of(agent.Pid);
        long last = await AwaitAsync(agent, Delivered, to);
        return Measurement.Between(before, ProcessReading.Of(agent.Pid), (int)(last - first));
    }

    /// <summary>Waits until the slowest server has so many.</summary>
    public async Task AwaitAllDeliveredAsync(AgentProcess agent, int messages)
    {
        using SpoolReader reader = SpoolReader.Open(_spool);
        await AwaitAsync(agent, () => reader.ReadOverview().Servers.Min(server => server.Delivered), messages);
    }

    /// <summary>Measures the next so many messages to the first server, whatever was delivered before; the first tenth is not counted.</summary>
    public Task<Measurement> MeasureNextAsync(AgentProcess agent, int messages)
    {
        int before = (int)Read()[0].Delivered;
        return MeasureAsync(agent, before + (messages / 10), before + messages);
    }

    private static async Task<long> AwaitAsync(AgentProcess agent, Func<long> delivered, int wanted)
    {
        long deadline = Environment.TickCount64 + (long)Limit.TotalMilliseconds;
        while (true)
        {
            long now = delivered();
            if (now >= wanted)
            {
                return now;
            }

            if (agent.HasExited || Environment.TickCount64 > deadline)
            {
                throw new InvalidOperationException($"{now} of {wanted} messages are delivered; the agent {(agent.HasExited ? "ended" : "is too slow")}: {agent.Stderr}");
            }

            await Task.Delay(Step, TimeProvider.System);
        }
    }

    private IReadOnlyList<ServerOverview> Read()
    {
        using SpoolReader reader = SpoolReader.Open(_spool);
        return reader.ReadOverview().Servers;
    }
}
