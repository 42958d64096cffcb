using System.Net;
using Quickq.Agent.Broker;
using Quickq.Agent.Observability;
using Quickq.Agent.Settings;
using Quickq.Agent.Timing;
using Quickq.Spool;

namespace Quickq.Agent.Forwarding;

/// <summary>The loop for one server: connect, forward until the connection is gone, back off, connect again. For ever.</summary>
/// <remarks>
/// A server in trouble is a state of its forwarder, never an end of it, and costs the others nothing: connection, window, backlog and position are its own.
/// Two signals end it: <c>stopTaking</c> (read no more, wait for the confirms of what is in flight) and <c>abandon</c> (the grace period is over).
/// </remarks>
internal sealed class Forwarder(ServerSettings settings, ForwarderParts parts)
{
    /// <summary>A connection that delivered nothing and ended sooner counts as a failed attempt: what accepts and hangs up must not be hammered.</summary>
    private static readonly TimeSpan Lasting = TimeSpan.FromSeconds(30);

    private readonly RetrySchedule _schedule = RetrySchedule.ForConnecting(parts.Random);
    private readonly DnsChangeMonitor _alias = new(parts.Clock);
    private readonly InFlightWindow _window = new(parts.ServerId, settings.Window, settings.WindowBytes);
    private readonly ServerState _state = new(settings, parts);
    private IPEndPoint? _lost;
    private int _givenUpCount;

    /// <summary>Runs until it is told to stop. Faults only on a bug.</summary>
    public async Task RunAsync(CancellationToken stopTaking, CancellationToken abandon)
    {
        int failures = 0;
        var dialer = new BrokerDialer(settings, BrokerDeadlines.Default, TimeProvider.System) { Step = parts.LoopLiveness.Beat };
        var publishers = new PublisherSet(settings, parts, _window, stopTaking);
        using var pump = new Pump(settings, parts, _window, publishers, _state);
        while (!stopTaking.IsCancellationRequested)
        {
            TimeSpan delay;
            try
            {
                await using BrokerConnection connection = await dialer.DialAsync(_lost, stopTaking);
                (long opened, long settled) = (parts.Clock.GetTimestamp(), _window.SettledCount);
                bool moved = await ForwardAsync(connection, publishers, pump, stopTaking, abandon);
                bool lasted = parts.Clock.GetElapsedTime(opened) >= Lasting;
                failures = moved || _window.SettledCount > settled || lasted ? 0 : failures + 1;
                delay = moved || publishers.ConnectAtOnce ? TimeSpan.Zero : _schedule.DelayAfter(Math.Max(failures, 1));
                if (lasted)
                {
                    publishers.Lasted();
                }

                _lost = moved ? null : connection.Peer;
            }
            catch (BrokerUnavailableException unavailable)
            {
                failures++;
                delay = _schedule.DelayAfter(failures);
                LogUnreachable(unavailable.Message, delay, failures);
                _state.Report("reconnecting", unavailable.Message);
            }
            catch (OperationCanceledException) when (stopTaking.IsCancellationRequested)
            {
                break;
            }
            catch (Exception fault) when (fault is not TypeInitializationException)
            {
                // What the runtime could not set up, for want of a descriptor, it never tries again: then the process ends, and systemd starts another. All else,
                // whatever it was, a server's doing or a fault of ours: it costs this server its connection, and nobody else anything.
                failures++;
                delay = _schedule.DelayAfter(failures);
                publishers.ConnectionLost();
                _window.LeaveUnsettled();
                parts.Log.ServerFault(settings.Name, fault);
                _state.Report("reconnecting", $"internal fault: {fault.Message.ReplaceLineEndings(" ")}");
            }

            await WaitAsync(delay, stopTaking);
        }

        _state.Report("disconnected");
        parts.LoopLiveness.Waits("for the ledger");
        await _window.WaitUntilEmptyAsync();
        parts.Ledger.Remove(_window);
    }

    /// <summary>Forwards until the connection is lost or given up. True when it was given up because the server's name has moved.</summary>
    private async Task<bool> ForwardAsync(BrokerConnection connection, PublisherSet publishers, Pump pump, CancellationToken stopTaking, CancellationToken abandon)
    {
        _window.SetEndpoint(connection.Endpoint);
        parts.LoopLiveness.ExcusedWhile(() => connection.BlockedReason is not null);
        parts.Log.Connected(settings.Name, connection.Endpoint);
        string? reason = null;
        using var stopReading = CancellationTokenSource.CreateLinkedTokenSource(stopTaking);

        // What hangs ends then, a publish that the broker does not read as well as a confirm that does not come.
        using var tooLate = CancellationTokenSource.CreateLinkedTokenSource(abandon);
        await using CancellationTokenRegistration cut = tooLate.Token.Register(() => connection.CutOff("stopped before every confirm had come"));
        Task<bool> move = StopWhenMovedAsync(connection, stopReading, tooLate);
        try
        {
            await pump.RunAsync(connection, stopReading.Token);
            parts.LoopLiveness.Waits("for confirms", ForwarderSet.Grace);
            await pump.AwaitConfirmsAsync(connection);
        }
        catch (BrokerUnavailableException unavailable)
        {
            reason = unavailable.Message;
        }
        catch (OperationCanceledException) when (abandon.IsCancellationRequested)
        {
            reason = "stopped before every confirm had come";
        }
        finally
        {
            parts.LoopLiveness.ExcusedWhile(excuse: null);
            if (connection.Lost.IsCompletedSuccessfully)
            {
                reason = connection.Lost.Result;
            }

            await publishers.ConnectionLostAsync(connection, reason);
            int unknown = _window.LeaveUnsettled();

            if (reason is not null)
            {
                parts.Log.ConnectionLost(settings.Name, connection.Endpoint, reason);
                if (connection.WasGivenUp)
                {
                    parts.Log.GaveUp(settings.Name, ++_givenUpCount);
                }

                if (unknown > 0)
                {
                    parts.Log.SendsAgain(settings.Name, unknown);
                }

                _state.Report("reconnecting", reason);
            }
        }

        await stopReading.CancelAsync();
        return await move;
    }

    private async Task<bool> StopWhenMovedAsync(BrokerConnection connection, CancellationTokenSource stopReading, CancellationTokenSource tooLate)
    {
        try
        {
            await _alias.WaitUntilMovedAsync(connection.Host, connection.Peer.Address, stopReading.Token);
            parts.Log.AliasMoved(settings.Name, connection.Host, connection.Endpoint);
            tooLate.CancelAfter(ForwarderSet.Grace);
            await stopReading.CancelAsync();
            return true;
        }
        catch (OperationCanceledException) when (stopReading.IsCancellationRequested)
        {
            return false; // the connection was lost or the agent stops: nobody wants to know any more
        }
    }

    private void LogUnreachable(string reason, TimeSpan delay, int failures)
    {
        // One line for each new reason, not one for each attempt.
        parts.Log.NextAttempt(settings.Name, delay.TotalSeconds);
        if (failures == 1 || _state.IsNews(reason))
        {
            parts.Log.ConnectFailed(settings.Name, reason);
        }
    }

    private async Task WaitAsync(TimeSpan delay, CancellationToken stopTaking)
    {
        parts.LoopLiveness.Waits("to connect again", delay);
        try
        {
            await Task.Delay(delay, parts.Clock, stopTaking);
        }
        catch (OperationCanceledException) when (stopTaking.IsCancellationRequested)
        {
            // The loop sees the token itself.
        }
    }
}
