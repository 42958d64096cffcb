namespace Quickq.DemoAudit;

/// <summary>A message as it lies in the queue.</summary>
internal sealed record FoundMessage(string Id, string RoutingKey, byte[] Body);
