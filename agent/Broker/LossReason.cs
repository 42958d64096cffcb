using System.Net.Sockets;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Quickq.Agent.Broker;

/// <summary>Says in one line why a connection that stood is gone.</summary>
internal static class LossReason
{
    public static string Describe(ShutdownEventArgs shutdown, TimeSpan heartbeat, TimeSpan unacknowledged)
    {
        if (shutdown.Initiator == ShutdownInitiator.Peer)
        {
            return $"the broker closed the connection: {shutdown.ReplyText}";
        }

        if (shutdown.Exception is { } failure)
        {
            return Describe(failure, heartbeat, unacknowledged);
        }

        return shutdown.Initiator == ShutdownInitiator.Application ? "closed by the agent" : $"the connection broke: {shutdown.ReplyText}";
    }

    private static string Describe(Exception failure, TimeSpan heartbeat, TimeSpan unacknowledged)
    {
        for (var cause = failure; cause is not null; cause = cause.InnerException)
        {
            switch (cause)
            {
                case SocketException { SocketErrorCode: SocketError.ConnectionReset or SocketError.Shutdown }:
                    return "the connection was reset by the broker's host or something on the way";
                case SocketException { SocketErrorCode: SocketError.TimedOut }:
                    return $"the link is dead: nothing sent was acknowledged for {unacknowledged.TotalSeconds:0.#} s";
                case SocketException { SocketErrorCode: SocketError.HostUnreachable or SocketError.NetworkUnreachable }:
                    return "there is no route to the broker any more";
                case EndOfStreamException { Message: var message } when message.StartsWith("Heartbeat missing", StringComparison.Ordinal):
                    return $"no sign of life from the broker for over {2 * heartbeat.TotalSeconds:0} s (heartbeat {heartbeat.TotalSeconds:0} s)";
                case EndOfStreamException:
                    return "the broker hung up without a word";
            }
        }

        return $"the connection broke: {failure.Message.ReplaceLineEndings(" ")}";
    }
}
