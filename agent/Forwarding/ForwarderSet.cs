using Microsoft.Extensions.Logging;
using Quickq.Agent.Feed;
using Quickq.Agent.Ledger;
using Quickq.Agent.Observability;
using Quickq.Agent.Settings;
using Quickq.Agent.Upkeep;
using Quickq.Spool;

namespace Quickq.Agent.Forwarding;

/// <summary>The running forwarders, one for each configured server; a reload starts, stops and replaces them without touching the others.</summary>
internal sealed class ForwarderSet(string spoolPath, DeliveryLedger ledger, SpoolSignal signal, TimeProvider clock, Func<double> random, ILogger log)
{
    private readonly Dictionary<string, Running> _running = new(StringComparer.Ordinal);
    private AgentSettings _settings = new();
    private volatile Pulse[] _pulses = [];

    /// <summary>One for each running forwarder. Any thread.</summary>
    public IReadOnlyCollection<Pulse> Pulses => _pulses;

    /// <summary>What says whether a message's time is over.</summary>
    public required ExpiryClock Expiry { get; init; }

    /// <summary>The forwarders' tasks: none of them ends before it is told to, but by a bug.</summary>
    public IEnumerable<Task> Tasks => _running.Values.Select(running => running.Task);

    /// <summary>Makes the running forwarders those of the settings: unchanged ones go on, the others stop (their confirms awaited), new ones start.</summary>
    public async Task ApplyAsync(AgentSettings settings, CancellationToken stopTaking, CancellationToken abandon)
    {
        _settings = settings;
        await StopChangedAsync(settings);
        ServerSettings[] starting = [.. settings.Servers.Where(server => !_running.ContainsKey(server.Name))];
        string[] fresh = [.. starting.Select(server => server.Name)];
        IReadOnlyDictionary<string, long> ids = await ledger.RunAsync(connection =>
        {
            ServerRegistry.WriteLimits_NeedsTransaction(connection, settings.Spool);
            return ServerRegistry.Register_NeedsTransaction(connection, settings.Servers, fresh, clock.NowMicroseconds());
        });
        foreach (ServerSettings server in starting)
        {
            var stop = CancellationTokenSource.CreateLinkedTokenSource(stopTaking);
            var giveUp = CancellationTokenSource.CreateLinkedTokenSource(abandon);
            var pulse = new Pulse(server.Name, clock);
            var parts = new ForwarderParts(spoolPath, ids[server.Name], ledger, signal, pulse, clock, random, log) { Expiry = Expiry };
            _running.Add(server.Name, new Running(server, ids[server.Name], pulse, stop, giveUp, new Forwarder(server, parts).RunAsync(stop.Token, giveUp.Token)));
        }

        _pulses = [.. _running.Values.Select(running => running.Pulse)];
    }

    /// <summary>Another file has taken the place of the spool: makes the servers known to it. A forwarder whose server has another id there starts anew.</summary>
    public async Task FollowReplacementAsync(CancellationToken stopTaking, CancellationToken abandon)
    {
        log.SpoolReplaced();
        IReadOnlyDictionary<string, long> ids = await ledger.RunAsync(connection =>
            ServerRegistry.Register_NeedsTransaction(connection, _settings.Servers, fresh: [], clock.NowMicroseconds()));
        await StopAsync([.. _running.Values.Where(running => ids.GetValueOrDefault(running.Settings.Name) != running.ServerId)]);
        await ApplyAsync(_settings, stopTaking, abandon);
    }

    private Task StopChangedAsync(AgentSettings settings) =>
        StopAsync([.. _running.Values.Where(running => !settings.Servers.Any(server => server.SameAs(running.Settings)))], settings);

    private async Task StopAsync(Running[] stopping, AgentSettings? settings = null)
    {
        foreach (Running running in stopping)
        {
            log.ServerStops(running.Settings.Name, settings is null ? "the spool was replaced"
                : settings.Servers.Any(server => string.Equals(server.Name, running.Settings.Name, StringComparison.Ordinal)) ? "its settings changed" : "it is no longer configured");
            await running.Stop.CancelAsync();
            running.GiveUp.CancelAfter(ForwarderService.Grace);
        }

        foreach (Running running in stopping)
        {
            await running.Task;
            running.Stop.Dispose();
            running.GiveUp.Dispose();
            _running.Remove(running.Settings.Name);
        }

        _pulses = [.. _running.Values.Select(running => running.Pulse)];
    }

    private sealed record Running(ServerSettings Settings, long ServerId, Pulse Pulse, CancellationTokenSource Stop, CancellationTokenSource GiveUp, Task Task);
}
