using Microsoft.Extensions.Logging;
using Quickq.Agent.Feed;
using Quickq.Agent.Ledger;
using Quickq.Agent.Observability;
using Quickq.Agent.Settings;
using Quickq.Agent.Timing;
using Quickq.Agent.Upkeep;
using Quickq.Spool;

namespace Quickq.Agent.Forwarding;

/// <summary>The running forwarders, one for each configured server; a reload starts, stops and replaces them without touching the others.</summary>
internal sealed class ForwarderSet(string spoolPath, DeliveryLedger ledger, SpoolSignal signal, TimeProvider clock, Func<double> random, ILogger log)
{
    /// <summary>How long a stop waits for confirms.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    private readonly Dictionary<string, Running> _running = new(StringComparer.Ordinal);
    private readonly List<Running> _leaving = [];
    private volatile AgentSettings _settings = new();
    private volatile LoopLiveness[] _pulses = [];

    /// <summary>One for each running forwarder. Any thread.</summary>
    public IReadOnlyCollection<LoopLiveness> Pulses => _pulses;

    /// <summary>What says whether a message's time is over.</summary>
    public required ExpiryClock Expiry { get; init; }

    /// <summary>The forwarders' tasks: none of those that run ends before it is told to, but by a bug.</summary>
    public IReadOnlyList<Task> Tasks
    {
        get
        {
            foreach (Running ended in _leaving.Where(running => running.Task.IsCompletedSuccessfully).ToArray())
            {
                _leaving.Remove(ended);
                ended.Stop.Dispose();
                ended.GiveUp.Dispose();
            }

            return [.. _running.Values.Concat(_leaving).Select(running => running.Task)];
        }
    }

    /// <summary>
    /// Makes the running forwarders those of the settings: unchanged ones go on, the others are told to stop, new ones start. Waits for no server: what takes the
    /// place of another begins when that has its last confirms.
    /// </summary>
    public Task ApplyAsync(AgentSettings settings, CancellationToken stopTaking, CancellationToken abandon)
    {
        _settings = settings;
        Stop(running => !settings.Servers.Any(server => server.SameAs(running.Settings)), running =>
            settings.Servers.Any(server => string.Equals(server.Name, running.Settings.Name, StringComparison.Ordinal)) ? "its settings changed" : "it is no longer configured");
        return StartMissingAsync(stopTaking, abandon);
    }

    /// <summary>Another file has taken the place of the spool: makes the servers known to it. A forwarder whose server has another id there starts anew.</summary>
    public async Task FollowReplacementAsync(CancellationToken stopTaking, CancellationToken abandon)
    {
        log.SpoolReplaced();
        IReadOnlyDictionary<string, long> ids = await RegisterAsync(fresh: []);
        Stop(running => ids.GetValueOrDefault(running.Settings.Name) != running.ServerId, _ => "the spool was replaced");
        await StartMissingAsync(stopTaking, abandon);
    }

    private async Task StartMissingAsync(CancellationToken stopTaking, CancellationToken abandon)
    {
        ServerSettings[] starting = [.. _settings.Servers.Where(server => !_running.ContainsKey(server.Name))];
        IReadOnlyDictionary<string, long> ids = await RegisterAsync([.. starting.Select(server => server.Name)]);
        foreach (ServerSettings server in starting)
        {
            var stop = CancellationTokenSource.CreateLinkedTokenSource(stopTaking);
            var giveUp = CancellationTokenSource.CreateLinkedTokenSource(abandon);
            var pulse = new LoopLiveness(server.Name, clock);
            var parts = new ForwarderParts(spoolPath, ids[server.Name], ledger, signal, pulse, clock, random, log) { Expiry = Expiry, MaxBodyBytes = MaxBodyBytes };
            Task? before = _leaving.LastOrDefault(leaving => string.Equals(leaving.Settings.Name, server.Name, StringComparison.Ordinal))?.Task;

            // Not on this thread: its first step reads files, which may be on a disk that does not answer.
            var task = Task.Run(() => RunAsync(server, parts, before, stop.Token, giveUp.Token), CancellationToken.None);
            _running.Add(server.Name, new Running(server, ids[server.Name], pulse, stop, giveUp, task));
        }

        _pulses = [.. _running.Values.Select(running => running.LoopLiveness)];
    }

    /// <summary>Two forwarders of one server would send everything twice: the second waits for the first, which has five seconds.</summary>
    private async Task RunAsync(ServerSettings server, ForwarderParts parts, Task? before, CancellationToken stopTaking, CancellationToken abandon)
    {
        if (before is not null)
        {
            parts.LoopLiveness.Waits("for its last confirms with the settings of before");
            await Task.WhenAny(before);
            await RegisterAsync([server.Name]); // over what the one before said at its end
        }

        await new Forwarder(server, parts).RunAsync(stopTaking, abandon);
    }

    private Task<IReadOnlyDictionary<string, long>> RegisterAsync(IReadOnlyList<string> fresh)
    {
        AgentSettings settings = _settings;
        return ledger.RunAsync(connection =>
        {
            ServerRegistry.WriteLimits_NeedsTransaction(connection, settings.Spool);
            return ServerRegistry.Register_NeedsTransaction(connection, settings.Servers, fresh, clock.NowMicroseconds());
        });
    }

    private void Stop(Func<Running, bool> which, Func<Running, string> why)
    {
        foreach (Running running in _running.Values.Where(which).ToArray())
        {
            log.ServerStops(running.Settings.Name, why(running));
            running.GiveUp.CancelAfter(Grace);
            _ = running.Stop.CancelAsync();
            _running.Remove(running.Settings.Name);
            _leaving.Add(running);
        }

        _pulses = [.. _running.Values.Select(running => running.LoopLiveness)];
    }

    /// <summary>A body larger than this is not read: nobody could add it, and no broker would take it.</summary>
    private long MaxBodyBytes() => Math.Max(64L << 20, _settings.Spool.MaxMessageSizeBytes);

    private sealed record Running(ServerSettings Settings, long ServerId, LoopLiveness LoopLiveness, CancellationTokenSource Stop, CancellationTokenSource GiveUp, Task Task);
}
