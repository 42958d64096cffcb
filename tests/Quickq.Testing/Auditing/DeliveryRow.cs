namespace Quickq.Testing.Auditing;

/// <summary>What the spool says of one message at one server.</summary>
/// <param name="Reason">Why it is not delivered, as <c>status ID</c> would say it; for one that is merely due, what last went wrong at its server. Empty when nothing is said.</param>
public sealed record DeliveryRow(string Id, string State, long Attempts, string Reason = "");
