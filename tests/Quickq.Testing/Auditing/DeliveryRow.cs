namespace Quickq.Testing.Auditing;

/// <summary>What the spool says of one message at one server.</summary>
public sealed record DeliveryRow(string Id, string State, long Attempts);
