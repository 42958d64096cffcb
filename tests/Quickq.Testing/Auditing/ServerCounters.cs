namespace Quickq.Testing.Auditing;

/// <summary>The counters of one server's row. Nothing may have been reaped, else the totals are higher than the rows tell.</summary>
public sealed record ServerCounters(long Pending, long Deferred, long Held, long Rejected, long Delivered, long Expired, long Cancelled)
{
    /// <summary>What the counters must be, counted from the rows.</summary>
    public static ServerCounters CountedFrom(IReadOnlyCollection<DeliveryRow> rows)
    {
        return new ServerCounters(Of("pending"), Of("deferred"), Of("held"), Of("rejected"), Of("delivered"), Of("expired"), Of("cancelled"));
        long Of(string state) => rows.LongCount(row => string.Equals(row.State, state, StringComparison.Ordinal));
    }
}
