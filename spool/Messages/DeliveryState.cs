namespace Quickq.Spool;

/// <summary>The states of one message at one server: the same words in the spool, the code, the logs and <c>--json</c>.</summary>
public static class DeliveryState
{
    /// <summary>Due now; leaves this state only on the server's confirm or an operator's word.</summary>
    public const string Pending = "pending";

    /// <summary>Refused for now; the next attempt has a time.</summary>
    public const string Deferred = "deferred";

    /// <summary>Confirmed by the server.</summary>
    public const string Delivered = "delivered";

    /// <summary>Refused for good: parked until an operator says what becomes of it.</summary>
    public const string Rejected = "rejected";

    /// <summary>Held back by an operator.</summary>
    public const string Held = "held";

    /// <summary>Its time to live, set by the producer, ran out before it was sent.</summary>
    public const string Expired = "expired";

    /// <summary>Given up by an operator.</summary>
    public const string Cancelled = "cancelled";

    /// <summary>All states, in the order in which they are documented.</summary>
    public static IReadOnlyList<string> All { get; } = [Pending, Deferred, Delivered, Rejected, Held, Expired, Cancelled];
}
