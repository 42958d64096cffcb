namespace Quickq.Agent.Broker;

/// <summary>A server sent what no AMQP server sends. The message says what, in an operator's words; the connection ends with it.</summary>
internal sealed class BrokerProtocolException(string reason) : IOException(reason);
