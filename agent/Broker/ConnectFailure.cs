using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using Quickq.Agent.Settings;
using RabbitMQ.Client.Exceptions;

namespace Quickq.Agent.Broker;

/// <summary>Says in one line why a connection did not come about, from the exceptions that the client wraps it in.</summary>
internal static class ConnectFailure
{
    private const int AccessRefused = 403;
    private const int NotAllowed = 530;

    /// <summary>The TCP connection itself failed.</summary>
    public static string Describe(SocketException failure, IPEndPoint endpoint) => failure.SocketErrorCode switch
    {
        SocketError.ConnectionRefused => $"connection refused by {endpoint}",
        SocketError.TimedOut => $"no answer from {endpoint}",
        SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.HostDown or SocketError.NetworkDown => $"no route to {endpoint}",
        SocketError.AddressFamilyNotSupported => $"this host has no {(endpoint.AddressFamily == AddressFamily.InterNetworkV6 ? "IPv6" : "IPv4")} to reach {endpoint} with",
        _ => $"cannot connect to {endpoint}: {failure.Message}",
    };

    /// <summary>TLS or the AMQP handshake failed.</summary>
    public static string Describe(Exception failure, IPEndPoint endpoint, ServerSettings settings, CertificateCheck? tls)
    {
        if (tls?.Objection is { } objection)
        {
            return $"{endpoint}: TLS: {objection}";
        }

        foreach (var cause in Causes(failure))
        {
            var words = cause switch
            {
                BrokerProtocolException foreign => $"{endpoint} {foreign.Message}",
                AuthenticationFailureException refused => Refusal(endpoint, settings, AccessRefused, refused.Message),
                AuthenticationException wrong => $"{endpoint}: TLS failed: {wrong.InnerException?.Message ?? wrong.Message}{ClientCertificateHint(tls)}",
                OperationInterruptedException { ShutdownReason: { ReplyCode: > 0 } reason } => Refusal(endpoint, settings, reason.ReplyCode, reason.ReplyText),
                ProtocolVersionMismatchException or PacketNotRecognizedException => $"{endpoint} does not speak AMQP 0-9-1",
                _ => null,
            };
            if (words is not null)
            {
                return words;
            }
        }

        var last = Causes(failure).Last();
        return tls is null
            ? $"{endpoint} ended the connection during the handshake ({Brief(last)}); is it an AMQP port, and one without TLS?"
            : $"{endpoint} ended the connection during the handshake ({Brief(last)}){ClientCertificateHint(tls)}";
    }

    /// <summary>The broker said no, in its own way of saying it.</summary>
    public static string Refusal(IPEndPoint endpoint, ServerSettings settings, int code, string text) => (code, text) switch
    {
        (AccessRefused, _) when text.Contains("Login was refused", StringComparison.Ordinal) =>
            $"{endpoint} refused user '{settings.User}' for vhost '{settings.VirtualHost}': wrong user name or password{GuestHint(endpoint, settings)}",
        (NotAllowed, _) when text.Contains("not found", StringComparison.Ordinal) => $"{endpoint} has no vhost '{settings.VirtualHost}'",
        (NotAllowed, _) when text.EndsWith($"refused for user '{settings.User}'", StringComparison.Ordinal) =>
            $"{endpoint} gives user '{settings.User}' no access to vhost '{settings.VirtualHost}'",
        (AccessRefused or NotAllowed, _) => $"{endpoint} refused user '{settings.User}' for vhost '{settings.VirtualHost}': {text}",
        _ => $"{endpoint} closed the connection during the handshake: {text}",
    };

    private static string GuestHint(IPEndPoint endpoint, ServerSettings settings) =>
        string.Equals(settings.User, "guest", StringComparison.Ordinal) && !IPAddress.IsLoopback(endpoint.Address)
            ? " (guest may log in from the broker's own host only, unless its loopback_users says otherwise)"
            : "";

    // The broker's answer to a missing client certificate is an alert that often is lost to the reset behind it.
    private static string ClientCertificateHint(CertificateCheck? tls) =>
        tls is { HasClientCertificate: false } ? "; it may ask for a client certificate: tls.cert and tls.key" : "";

    private static string Brief(Exception cause) => cause switch
    {
        SocketException socket => socket.Message,
        EndOfStreamException => "it hung up",
        _ => cause.Message.ReplaceLineEndings(" "),
    };

    private static IEnumerable<Exception> Causes(Exception? failure)
    {
        for (var cause = failure; cause is not null; cause = cause is AggregateException { InnerExceptions: [var first, ..] } ? first : cause.InnerException)
        {
            yield return cause;
        }
    }
}
