using Microsoft.Extensions.Logging;
using Quickq.Agent.Feed;
using Quickq.Agent.Forwarding;
using Quickq.Agent.Ledger;
using Quickq.Agent.Observability;
using Quickq.Agent.Settings;
using Quickq.Agent.Timing;
using Quickq.Agent.Upkeep;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Agent.Tests.Upkeep;

/// <summary>The agent's upkeep at work on a spool of two servers, as the agent runs it but without any forwarder.</summary>
internal sealed class RunningUpkeep : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly StringWriter _log = new();
    private readonly AgentLogging _logging;
    private readonly SpoolSignal _signal;
    private readonly UpkeepTasks _tasks;
    private readonly Task _run;

    private RunningUpkeep(string path, SpoolSettings settings, TimeProvider clock, Func<TimeSpan>? sinceBoot)
    {
        _logging = new AgentLogging(LogLevel.Information, TextWriter.Synchronized(_log), journal: null, TimeProvider.System);
        ILogger log = _logging.Factory.CreateLogger("test");
        Ledger = new DeliveryLedger(path, RetrySchedule.ForRefusals(() => 0), clock, log);
        _signal = new SpoolSignal(path);
        _tasks = new UpkeepTasks(path, Ledger, _signal, new ExpiryClock(clock, sinceBoot ?? ExpiryClock.SinceBoot, log), clock, log);
        _tasks.Apply(settings);
        _run = Task.Run(() => _tasks.RunAsync(_stop.Token));
    }

    public DeliveryLedger Ledger { get; }

    /// <summary>What it logged so far.</summary>
    public string Log => _log.ToString();

    public static RunningUpkeep Start(TempSpool spool, SpoolSettings settings, TimeProvider? clock = null, Func<TimeSpan>? sinceBoot = null) =>
        new(spool.Path, settings, clock ?? TimeProvider.System, sinceBoot);

    /// <summary>Makes a spool with two servers and so many messages, m1, m2, ...: accepted a second apart from the epoch on, delivered by both a second later.</summary>
    public static void FillDelivered(TempSpool spool, int count, int bodyBytes = 100)
    {
        using SpoolWriter writer = SpoolWriter.Open(spool.Path);
        spool.Execute("INSERT INTO server (name) VALUES ('mq1'), ('mq2')");
        byte[] body = Some.Bytes(bodyBytes);
        for (int done = 0; done < count; done += 1000)
        {
            writer.AppendMany([.. Enumerable.Range(done + 1, Math.Min(1000, count - done)).Select(i =>
                new OutgoingMessage { Id = $"m{i}", Body = body, CreatedAt = DateTimeOffset.UnixEpoch.AddSeconds(i) })]);
        }

        spool.Execute(
            $"""
            UPDATE delivery SET state = 'delivered', attempts = 1, settled_at = (message + 1) * 1000000;
            UPDATE server SET pending = 0, delivered = {count};
            """);
    }

    public void Apply(SpoolSettings settings) => _tasks.Apply(settings);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run;
        await Ledger.StopAsync();
        Ledger.Dispose();
        _tasks.Dispose();
        _signal.Dispose();
        _logging.Dispose();
        _stop.Dispose();
    }
}
