using Microsoft.Extensions.Logging;
using Quickq.Agent.Feed;
using Quickq.Agent.Ledger;
using Quickq.Agent.Observability;
using Quickq.Agent.Settings;
using Quickq.Spool;

namespace Quickq.Agent.Forwarding;

/// <summary>Where the outcomes of one server's messages go: policy, window, ledger; and where the state of its exchanges and routing keys is recorded and logged.</summary>
internal sealed class Settler(ServerSettings settings, ForwarderParts parts, InFlightWindow window)
{
    /// <summary>A thousand keys that get into trouble together do not become a thousand transactions.</summary>
    private static readonly TimeSpan BetweenErrors = TimeSpan.FromSeconds(1);

    private readonly Dictionary<string, string> _suspendedFor = new(StringComparer.Ordinal);
    private long _keyErrorAt;

    public TimeProvider Clock => parts.Clock;

    public LoopLiveness LoopLiveness => parts.LoopLiveness;

    public InFlightWindow Window => window;

    /// <summary>Whether the broker is to say which messages no queue received.</summary>
    public bool Mandatory => settings.Unroutable != Unroutable.Ignore;

    /// <summary>Why a message that no queue received is not simply delivered; null where it is.</summary>
    public string? UnroutedReason => settings.Unroutable is Unroutable.Retry or Unroutable.Park ? "no queue is bound for its routing key" : null;

    /// <summary>Hands an outcome to the ledger.</summary>
    public void Settle(FeedMessage message, PublishOutcome outcome, string? reason)
    {
        Verdict verdict = OutcomePolicy.Decide(outcome, settings.Unroutable);
        var settlement = new Settlement(message.Seq, verdict.State, Clock.NowMicroseconds(), verdict.Unrouted, reason, verdict.Attempted);
        if (window.Settle(settlement))
        {
            parts.Ledger.Signal(window);
        }

        if (verdict.State is DeliveryState.Rejected)
        {
            parts.Log.MessageRejected(settings.Name, message.Id, reason ?? "");
        }
    }

    /// <summary>Records that the exchange is suspended; logs it once for each new reason, not again after each probe.</summary>
    public void ReportSuspended(string exchange, string reason, TimeSpan delay)
    {
        long now = Clock.NowMicroseconds();
        if (!string.Equals(reason, _suspendedFor.GetValueOrDefault(exchange), StringComparison.Ordinal))
        {
            _suspendedFor[exchange] = reason;
            parts.Log.ExchangeSuspended(settings.Name, exchange, reason);
        }

        parts.Log.NextProbe(settings.Name, exchange, delay.TotalSeconds);
        Record(new SuspensionRecord(parts.ServerId, exchange, reason, now, now + (delay.Ticks / TimeSpan.TicksPerMicrosecond)));
    }

    /// <summary>Logs and records that the exchange accepts messages again.</summary>
    public void ReportResumed(string exchange)
    {
        _suspendedFor.Remove(exchange);
        parts.Log.ExchangeResumed(settings.Name, exchange);
        Record(new SuspensionRecord(parts.ServerId, exchange, Reason: null, Clock.NowMicroseconds(), NextProbeAt: 0));
    }

    /// <summary>Logs and records that a routing key is in trouble, and shows it as the server's last error.</summary>
    /// <param name="key">The key.</param>
    /// <param name="delay">Until its next attempt.</param>
    /// <param name="isNew">It was not in trouble before: worth a line of its own.</param>
    public void ReportTroubled(TroubledKey key, TimeSpan delay, bool isNew)
    {
        if (isNew)
        {
            parts.Log.KeySuspended(settings.Name, key.RoutingKey, key.Exchange, key.Reason, delay.TotalSeconds);
        }

        parts.Log.NextKeyProbe(settings.Name, key.RoutingKey, key.Exchange, key.Reason, key.Limit.Failures, delay.TotalSeconds);
        long now = Clock.NowMicroseconds();
        parts.Ledger.Post(new KeySuspensionRecord(parts.ServerId, key.Exchange, key.RoutingKey, key.Reason, now, now + (delay.Ticks / TimeSpan.TicksPerMicrosecond)).Write_NeedsTransaction);
        if (isNew && (_keyErrorAt == 0 || Clock.GetElapsedTime(_keyErrorAt) >= BetweenErrors))
        {
            _keyErrorAt = Clock.GetTimestamp();
            var record = new ServerErrorRecord(parts.ServerId, $"routing key '{key.RoutingKey}' of exchange '{key.Exchange}': {key.Reason}", now);
            parts.Ledger.Post(record.Write_NeedsTransaction);
        }
    }

    /// <summary>Logs and records that messages with the key are accepted again.</summary>
    public void ReportUntroubled(TroubledKey key)
    {
        parts.Log.KeyResumed(settings.Name, key.RoutingKey, key.Exchange);
        parts.Ledger.Post(new KeySuspensionRecord(parts.ServerId, key.Exchange, key.RoutingKey, Reason: null, Clock.NowMicroseconds(), NextProbeAt: 0).Write_NeedsTransaction);
    }

    /// <summary>Logs that one of several messages made the broker close the channel.</summary>
    public void ReportIsolating(string exchange, string reason) => parts.Log.Isolating(settings.Name, exchange, reason);

    private void Record(SuspensionRecord record) => parts.Ledger.Post(record.Write_NeedsTransaction);
}
