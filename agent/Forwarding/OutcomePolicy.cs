using Quickq.Agent.Settings;
using Quickq.Spool;

namespace Quickq.Agent.Forwarding;

/// <summary>What a server answered to one message. A closed set.</summary>
internal enum PublishOutcome
{
    /// <summary>basic.ack: the server has it, in at least one queue.</summary>
    Confirmed,

    /// <summary>basic.return, then basic.ack: the server took it and routed it to no queue.</summary>
    Unrouted,

    /// <summary>basic.nack: the server could not take it now (a queue is full, for instance).</summary>
    Nacked,

    /// <summary>No word came for it in time, although others were answered (one of its queues hangs, for instance).</summary>
    Unanswered,

    /// <summary>It closed the channel, and may be taken another time (no permission for its routing key).</summary>
    Refused,

    /// <summary>It closed the channel, and always will (larger than the server allows).</summary>
    RefusedForGood,

    /// <summary>It has no AMQP form.</summary>
    Unencodable,

    /// <summary>Its time to live ran out before it was sent.</summary>
    Expired,
}

/// <summary>What becomes of the message.</summary>
/// <param name="State">The state it has from now on; a deferred one gets its time from <see cref="RetrySchedule"/>.</param>
/// <param name="Unrouted">To be counted as unrouted.</param>
/// <param name="Attempted">The server was asked.</param>
internal readonly record struct Verdict(string State, bool Unrouted = false, bool Attempted = true);

/// <summary>Pure: from the outcome of one message to its state. The only place that decides it.</summary>
internal static class OutcomePolicy
{
    /// <summary>Decides for a server with the given setting for messages that no queue receives.</summary>
    public static Verdict Decide(PublishOutcome outcome, Unroutable unroutable) => outcome switch
    {
        PublishOutcome.Confirmed => new(DeliveryState.Delivered),
        PublishOutcome.Unrouted => unroutable switch
        {
            Unroutable.Retry => new(DeliveryState.Deferred),
            Unroutable.Park => new(DeliveryState.Rejected),
            _ => new(DeliveryState.Delivered, Unrouted: true),
        },
        PublishOutcome.Nacked or PublishOutcome.Unanswered or PublishOutcome.Refused => new(DeliveryState.Deferred),
        PublishOutcome.RefusedForGood => new(DeliveryState.Rejected),
        PublishOutcome.Unencodable => new(DeliveryState.Rejected, Attempted: false),
        PublishOutcome.Expired => new(DeliveryState.Expired, Attempted: false),
        _ => throw new ArgumentOutOfRangeException(nameof(outcome), outcome, message: null),
    };
}
