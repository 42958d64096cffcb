namespace Quickq.Agent.Broker;

/// <summary>The connection is sound, but no further channel is granted on it.</summary>
internal sealed class NoChannelException(string message, Exception cause) : Exception(message, cause);
