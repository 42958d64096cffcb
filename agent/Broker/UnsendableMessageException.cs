namespace Quickq.Agent.Broker;

/// <summary>
/// A message that AMQP cannot carry to this server, ever. Nothing of it was sent, no delivery tag was used, and the
/// publisher goes on. The message is the reason in an operator's words.
/// </summary>
internal sealed class UnsendableMessageException(string reason) : Exception(reason);
