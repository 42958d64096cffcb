using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Quickq.Agent.Feed;
using Quickq.Agent.Forwarding;
using Quickq.Agent.Ledger;
using Quickq.Agent.Observability;
using Quickq.Agent.Settings;
using Quickq.Agent.Timing;
using Quickq.Agent.Upkeep;
using Quickq.Spool;
using Quickq.Spool.Systemd;

namespace Quickq.Agent;

/// <summary>Starts what the agent consists of, applies a changed configuration, and stops all within the grace period.</summary>
/// <remarks>
/// Stop: reads no more, waits up to <see cref="ForwarderSet.Grace"/> for the confirms of what is in flight, commits, closes. A forwarder ends before that only by a
/// bug: then the service faults, the process ends, and systemd starts it again; nothing is lost by that.
/// </remarks>
internal sealed class AgentService(
    AgentSettings settings, AgentCommandLine line, AgentLogging logging, SystemdNotice notice, ReloadRequest reload, TimeProvider clock, ILogger<AgentService> log)
    : BackgroundService
{
    /// <summary>An editor writes a file in several steps: the last of them is the one to read.</summary>
    private static readonly TimeSpan SettleTime = TimeSpan.FromMilliseconds(300);

    private readonly Random _random = new();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        string path = settings.Spool.Path;
        using var signal = new SpoolSignal(path);
        using var ledger = new DeliveryLedger(path, RetrySchedule.ForRefusals(NextRandom), clock, log, signal);
        using var watch = new SettingsWatch(line.ConfigPath, reload);
        using var abandon = new CancellationTokenSource();
        await using CancellationTokenRegistration grace = stoppingToken.Register(() => abandon.CancelAfter(ForwarderSet.Grace));
        var expiry = new ExpiryClock(clock, ExpiryClock.SinceBoot, log);
        var forwarders = new ForwarderSet(path, ledger, signal, clock, NextRandom, log) { Expiry = expiry };
        using var upkeep = new UpkeepTasks(path, ledger, signal, expiry, clock, log);
        upkeep.Apply(settings.Spool);
        await using CancellationTokenRegistration giveUp = abandon.Token.Register(ledger.GiveUp);
        var watchdog = new WatchdogNotifier(notice, () => [ledger.LoopLiveness, .. forwarders.Pulses], clock, log);
        var status = new BacklogStatus(path, signal, notice, ledger.LoopLiveness, clock);

        // Ready: the spool is open. Registering the servers may have to wait for a full disk, which a restart would not mend.
        notice.Ready();
        ledger.Post(connection => AgentRecord.Start_NeedsTransaction(connection, AgentCommandLine.Version, Environment.ProcessId, line.ConfigPath, clock.NowMicroseconds()));
        await using CancellationTokenRegistration stops = stoppingToken.Register(notice.Stopping);
        Task watchdogRuns = watchdog.RunAsync(stoppingToken), statusRuns = status.RunAsync(stoppingToken);
        await forwarders.ApplyAsync(settings, stoppingToken, abandon.Token);
        Task upkeepRuns = upkeep.RunAsync(stoppingToken);
        Task damageIsWatched = new DamageWatch(path, ledger.Health, clock, log).RunAsync(stoppingToken);
        while (!stoppingToken.IsCancellationRequested)
        {
            Task first = await Task.WhenAny([reload.Next, ledger.Health.Replaced.Next, Task.Delay(Timeout.InfiniteTimeSpan, clock, stoppingToken), upkeepRuns, damageIsWatched, watchdogRuns, statusRuns, .. forwarders.Tasks]);
            if (first.IsFaulted)
            {
                await first;
            }

            try
            {
                if (ledger.Health.Replaced.Next.IsCompleted && !stoppingToken.IsCancellationRequested)
                {
                    ledger.Health.Replaced.Reset();
                    await forwarders.FollowReplacementAsync(stoppingToken, abandon.Token);
                    ledger.Unassigned.Set();
                }

                if (reload.Next.IsCompleted && !stoppingToken.IsCancellationRequested)
                {
                    notice.Reloading();
                    string? refused = await ReloadAsync(forwarders, upkeep, stoppingToken, abandon.Token);
                    ledger.Post(connection => AgentRecord.NoteConfiguration_NeedsTransaction(connection, refused));
                    notice.Ready();
                }
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                // The agent stops, and the ledger writes no new servers any more.
            }
        }

        await Task.WhenAll([upkeepRuns, damageIsWatched, watchdogRuns, statusRuns, .. forwarders.Tasks]);
        ledger.Post(connection => AgentRecord.Stop_NeedsTransaction(connection, clock.NowMicroseconds()));
        await ledger.StopAsync();
    }

    /// <summary>Applies the configuration as it is now; returns why not, where it is refused.</summary>
    private async Task<string?> ReloadAsync(ForwarderSet forwarders, UpkeepTasks upkeep, CancellationToken stopTaking, CancellationToken abandon)
    {
        await Task.Delay(SettleTime, clock, CancellationToken.None);
        reload.Reset();

        // On a thread of its own: a disk that does not answer must not keep a stop waiting.
        SettingsReading reading = await Task.Factory.StartNew(() => SettingsFile.Read(line.ConfigPath), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)
            .WaitAsync(stopTaking);
        if (reading.Settings is not { } changed)
        {
            // A error while editing must not stop deliveries: what ran goes on.
            return Refuse(string.Join("; ", reading.Errors));
        }

        if (!string.Equals(changed.Spool.Path, settings.Spool.Path, StringComparison.Ordinal))
        {
            return Refuse("spool.path cannot change while the agent runs; restart it");
        }

        logging.SetLevel(line.Verbosity ?? changed.LogLevel);
        await forwarders.ApplyAsync(changed, stopTaking, abandon);
        upkeep.Apply(changed.Spool);
        log.Reloaded(line.ConfigPath, changed.Servers.Count);
        return null;
    }

    private string Refuse(string why)
    {
        log.ReloadRefused(why);
        return why;
    }

    private double NextRandom()
    {
        lock (_random)
        {
            return _random.NextDouble();
        }
    }
}
