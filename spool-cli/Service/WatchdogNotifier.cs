using Quickq.Spool.Systemd;

namespace Quickq.SpoolCli.Service;

/// <summary>Notifies systemd's watchdog at half its period while the loops make progress and the thread pool runs what it is given; nothing where there is no watchdog.</summary>
internal sealed class WatchdogNotifier : IDisposable
{
    private readonly SystemdNotice _notice;
    private readonly IReadOnlyList<(string Name, LoopLiveness Loop)> _loops;
    private readonly ServiceLog _log;
    private readonly ITimer? _timer;
    private bool _starving;

    public WatchdogNotifier(SystemdNotice notice, IReadOnlyList<(string Name, LoopLiveness Loop)> loops, ServiceLog log, TimeProvider clock)
    {
        (_notice, _loops, _log) = (notice, loops, log);

        // The callback runs on the pool: when that is stuck, nobody is notified either.
        _timer = notice.WatchdogPeriod is { } period ? clock.CreateTimer(_ => Feed(), state: null, TimeSpan.Zero, period / 2) : null;
    }

    public void Dispose() => _timer?.Dispose();

    private void Feed()
    {
        (string? stalled, _) = _loops.FirstOrDefault(loop => loop.Loop.IsStalled);
        if (stalled is null)
        {
            _notice.FeedWatchdog();
        }
        else if (!_starving)
        {
            _log.WatchdogStarves(stalled);
        }

        _starving = stalled is not null;
    }
}
