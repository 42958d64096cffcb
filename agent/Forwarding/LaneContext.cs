using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Quickq.Agent.Feed;
using Quickq.Agent.Ledger;
using Quickq.Agent.Observability;
using Quickq.Agent.Settings;
using Quickq.Spool;

namespace Quickq.Agent.Forwarding;

/// <summary>What the lanes of one server share: the window, the ledger, the policy, and where their reports go.</summary>
internal sealed class LaneContext(
    ServerSettings settings, string exchange, ForwarderParts parts, InFlightWindow window, Action wake, CancellationToken stopping)
{
    private const int MostRemembered = 10_000;

    private readonly ForwarderParts _parts = parts;
    private string? _suspendedFor;

    public TimeProvider Clock => _parts.Clock;

    public Pulse Pulse => _parts.Pulse;

    public InFlightWindow Window { get; } = window;

    public string Exchange => exchange;

    /// <summary>Between probes of a suspended exchange.</summary>
    public RetrySchedule Schedule { get; } = RetrySchedule.ForRefusals(parts.Random);

    public CancellationToken Stopping { get; } = stopping;

    /// <summary>Messages that made the broker close a channel, until they are settled in another way.</summary>
    public required ConcurrentDictionary<long, bool> ClosedChannel { get; init; }

    /// <summary>Whether the broker is to say which messages no queue received.</summary>
    public bool Mandatory => settings.Unroutable != Unroutable.Ignore;

    /// <summary>Why a message that no queue received is not simply delivered; null where it is.</summary>
    public string? UnroutedReason => settings.Unroutable is Unroutable.Retry or Unroutable.Park ? "no queue is bound for its routing key" : null;

    /// <summary>Tells the forwarder that the lane's state changed.</summary>
    public void Wake() => wake();

    /// <summary>Hands an outcome to the ledger.</summary>
    public void Settle(FeedMessage message, PublishOutcome outcome, string? reason)
    {
        if (outcome is PublishOutcome.Refused or PublishOutcome.RefusedForGood)
        {
            if (ClosedChannel.Count >= MostRemembered)
            {
                ClosedChannel.Clear(); // each of them costs its neighbours a repeat once more, no worse
            }

            ClosedChannel[message.Seq] = true;
        }
        else
        {
            ClosedChannel.TryRemove(message.Seq, out _); // takes no lock while there is nothing; to ask whether it is empty takes them all
        }

        Verdict verdict = OutcomePolicy.Decide(outcome, settings.Unroutable);
        var settlement = new Settlement(message.Seq, verdict.State, Clock.NowMicroseconds(), verdict.Unrouted, reason, verdict.Attempted);
        if (Window.Settle(settlement))
        {
            _parts.Ledger.Signal(Window);
        }

        if (verdict.State is DeliveryState.Rejected)
        {
            _parts.Log.MessageRejected(settings.Name, message.Id, reason ?? "");
        }
    }

    /// <summary>Records that the exchange is suspended; logs it once for each new reason, not again after each probe.</summary>
    public void ReportSuspended(string reason, TimeSpan delay)
    {
        long now = Clock.NowMicroseconds();
        if (!string.Equals(reason, _suspendedFor, StringComparison.Ordinal))
        {
            _suspendedFor = reason;
            _parts.Log.ExchangeSuspended(settings.Name, exchange, reason);
        }

        _parts.Log.NextProbe(settings.Name, exchange, delay.TotalSeconds);
        Record(new SuspensionRecord(_parts.ServerId, exchange, reason, now, now + (delay.Ticks / TimeSpan.TicksPerMicrosecond)));
    }

    /// <summary>Logs and records that the exchange takes messages again.</summary>
    public void ReportResumed()
    {
        _suspendedFor = null;
        _parts.Log.ExchangeResumed(settings.Name, exchange);
        Record(new SuspensionRecord(_parts.ServerId, exchange, Reason: null, Clock.NowMicroseconds(), NextProbeAt: 0));
    }

    private void Record(SuspensionRecord record) => _parts.Ledger.Post(record.Write_NeedsTransaction);
}
