namespace Quickq.Agent.Ledger;

/// <summary>What became of one message at one server, to be written down.</summary>
/// <param name="Seq">The message.</param>
/// <param name="State">The state it has from now on: one of <see cref="Quickq.Spool.DeliveryState"/>.</param>
/// <param name="At">When, in microseconds since the epoch.</param>
/// <param name="Unrouted">Delivered, but no queue received it.</param>
/// <param name="Reason">Why it is not delivered.</param>
/// <param name="Attempted">False when the server was not asked (the message expired before sending).</param>
internal readonly record struct Settlement(
    long Seq, string State, long At, bool Unrouted = false, string? Reason = null, bool Attempted = true);

/// <summary>The settlements of one server that are written in one transaction.</summary>
internal sealed record SettlementBatch(long Server, string? Endpoint, IReadOnlyList<Settlement> Settlements);

/// <summary>Where the ledger fetches settlements; one for each server.</summary>
internal interface ISettlementSource
{
    /// <summary>Whether an outcome may come at any moment: a message is out and unanswered.</summary>
    bool AwaitsMore => false;

    /// <summary>Hands over what was learnt since the last call, or null. Called on the ledger's thread.</summary>
    SettlementBatch? TakeSettlements();

    /// <summary>Tells that a batch is committed: its messages are no longer in flight. Called on the ledger's thread.</summary>
    void Committed(SettlementBatch batch);
}
