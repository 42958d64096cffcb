namespace Quickq.Testing.Auditing;

/// <summary>The spool's own list of what it accepted; sequence numbers are the order of acceptance.</summary>
/// <param name="CreatedAt">Seconds since the epoch, as AMQP's timestamp counts.</param>
public sealed record StoredMessage(long Seq, string Id, long CreatedAt);
