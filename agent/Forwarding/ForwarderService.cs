using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Quickq.Agent.Feed;
using Quickq.Agent.Ledger;
using Quickq.Agent.Observability;
using Quickq.Agent.Settings;
using Quickq.Agent.Upkeep;
using Quickq.Spool;

namespace Quickq.Agent.Forwarding;

/// <summary>One forwarder for each configured server, side by side; starts them, stops them within the grace period.</summary>
/// <remarks>
/// Stop: reads no more, waits up to <see cref="Grace"/> for the confirms of what is in flight, commits, closes. A forwarder ends before that only by a
/// bug: then the service faults, the process ends, and systemd starts it again; nothing is lost by that.
/// </remarks>
internal sealed class ForwarderService(AgentSettings settings, TimeProvider clock, ILogger<ForwarderService> log) : BackgroundService
{
    /// <summary>How long a stop waits for confirms.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    private readonly Random _random = new();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        string path = settings.Spool.Path;
        using var ledger = new DeliveryLedger(path, RetrySchedule.ForRefusals(NextRandom), clock, log);
        using var signal = new SpoolSignal(path);
        IReadOnlyDictionary<string, long> ids = await ledger.RunAsync(connection =>
        {
            ServerRegistry.WriteLimits_NeedsTransaction(connection, settings.Spool);
            return ServerRegistry.Register_NeedsTransaction(connection, settings.Servers, clock.NowMicroseconds());
        });

        using var abandon = new CancellationTokenSource();
        await using CancellationTokenRegistration grace = stoppingToken.Register(() => abandon.CancelAfter(Grace));
        IEnumerable<Task> forwarders = settings.Servers.Select(server =>
            new Forwarder(server, new ForwarderParts(path, ids[server.Name], ledger, signal, clock, NextRandom, log)).RunAsync(stoppingToken, abandon.Token));
        var upkeep = new UpkeepTasks(ledger, clock, log);

        // One that faults ends all: the host stops the process with an error.
        await Task.WhenAll(await Task.WhenAny([Task.WhenAll(forwarders), upkeep.RunAsync(stoppingToken)]), Task.WhenAll(forwarders));
        await ledger.StopAsync();
    }

    private double NextRandom()
    {
        lock (_random)
        {
            return _random.NextDouble();
        }
    }
}
