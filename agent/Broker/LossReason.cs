using System.Net.Sockets;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Quickq.Agent.Broker;

/// <summary>Says in one line why a connection that stood is gone.</summary>
internal static class LossReason
{
    private const string HungUp = "the broker hung up without a word";

    /// <param name="shutdown">What the client says of it.</param>
    /// <param name="endedBy">The error that ended it, whichever call the kernel told it to.</param>
    /// <param name="heartbeat">The broker's sign of life comes at least this often.</param>
    /// <param name="unacknowledged">How long the kernel waits for an acknowledgement.</param>
    public static string Describe(ShutdownEventArgs shutdown, SocketError? endedBy, TimeSpan heartbeat, TimeSpan unacknowledged)
    {
        if (shutdown.Initiator == ShutdownInitiator.Peer)
        {
            return $"the broker closed the connection: {shutdown.ReplyText}";
        }

        if (shutdown is { Initiator: ShutdownInitiator.Application, Exception: null })
        {
            return "closed by the agent";
        }

        var words = Describe(shutdown.Exception, heartbeat, unacknowledged);
        return (words is null or HungUp ? Describe(endedBy, unacknowledged) : null)
            ?? words ?? $"the connection broke: {(shutdown.Exception?.Message ?? shutdown.ReplyText).ReplaceLineEndings(" ")}";
    }

    public static string NoSignOfLife(TimeSpan time) => $"no sign of life from the broker for over {time.TotalSeconds:0.#} s";

    private static string? Describe(SocketError? error, TimeSpan unacknowledged) => error switch
    {
        SocketError.ConnectionReset or SocketError.Shutdown => "the connection was reset by the broker's host or something on the way",
        SocketError.TimedOut => $"the link is dead: nothing sent was acknowledged for {unacknowledged.TotalSeconds:0.#} s",
        SocketError.HostUnreachable or SocketError.NetworkUnreachable => "there is no route to the broker any more",
        _ => null,
    };

    private static string? Describe(Exception? failure, TimeSpan heartbeat, TimeSpan unacknowledged)
    {
        for (var cause = failure; cause is not null; cause = cause.InnerException)
        {
            var words = cause switch
            {
                BrokerProtocolException foreign => $"the server {foreign.Message}",
                SocketException socket => Describe(socket.SocketErrorCode, unacknowledged),
                EndOfStreamException { Message: var message } when message.StartsWith("Heartbeat missing", StringComparison.Ordinal) =>
                    $"{NoSignOfLife(2 * heartbeat)} (heartbeat {heartbeat.TotalSeconds:0} s)",
                EndOfStreamException => HungUp,
                _ => null,
            };
            if (words is not null)
            {
                return words;
            }
        }

        return null;
    }
}
