using Microsoft.Extensions.Logging;
using Quickq.Spool.Systemd;

namespace Quickq.Agent.Observability;

/// <summary>Feeds systemd's watchdog at half its period, and only while every loop of the agent makes progress or waits for a named reason.</summary>
/// <remarks>When one stalls, the feeding stops, one line says which, and systemd ends the agent and starts it anew: nothing is lost by that.</remarks>
internal sealed class WatchdogNotifier(SystemdNotice notice, Func<IReadOnlyCollection<LoopLiveness>> pulses, TimeProvider clock, ILogger log)
{
    /// <summary>Runs until the agent stops; where systemd has no watchdog for it, without ever waking.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        TimeSpan pause = notice.WatchdogPeriod / 2 ?? Timeout.InfiniteTimeSpan;
        bool starving = false;
        while (!stopping.IsCancellationRequested)
        {
            LoopLiveness? stalled = pulses().FirstOrDefault(pulse => pulse.Stall() is not null);
            if (stalled?.Stall() is { } stall)
            {
                if (!starving)
                {
                    log.WatchdogStarves(stalled.Who, stall.For, stall.Doing);
                }

                starving = true;
            }
            else
            {
                notice.FeedWatchdog();
                if (starving)
                {
                    log.WatchdogFedAgain();
                }

                starving = false;
            }

            try
            {
                await Task.Delay(pause, clock, stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
        }
    }
}
