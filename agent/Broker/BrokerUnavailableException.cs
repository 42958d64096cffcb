namespace Quickq.Agent.Broker;

/// <summary>
/// A server cannot be reached, refuses us, or was lost. The message is one line in an operator's words, without password,
/// fit for the log and for <c>status</c>.
/// </summary>
internal sealed class BrokerUnavailableException(string reason, Exception? inner = null) : Exception(reason, inner);
