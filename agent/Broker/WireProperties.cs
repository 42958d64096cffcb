using System.Collections.ObjectModel;
using System.Globalization;
using System.Text;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Quickq.Agent.Broker;

/// <summary>
/// The AMQP properties of a message: what the producer set, <c>message-id</c>, <c>timestamp</c>, <c>app-id</c>, delivery
/// mode; nothing else. Checks what the client's encoder does not, or finds too late.
/// </summary>
internal static class WireProperties
{
    public const string AppId = "quickq";

    private const int ShortTextBytes = 255;

    /// <summary>The broker's own limit (an unsigned 32-bit number of milliseconds); more closes the channel.</summary>
    private const double LongestExpirationMilliseconds = uint.MaxValue;

    // With confirms on, the client gives a message without headers an empty table anyhow: one for all spares an object each.
    // Read-only, so that nothing can ever add to it unseen.
    private static readonly IDictionary<string, object?> NoHeaders = ReadOnlyDictionary<string, object?>.Empty;

    /// <summary>A fresh object for each publish, since the client may write into what it is given.</summary>
    /// <exception cref="UnsendableMessageException">The message does not fit into AMQP's frames and short texts.</exception>
    public static BasicProperties Of(in BrokerMessage message, uint frameMax)
    {
        RequireShort(message.Id, "message id");
        RequireShort(message.Exchange, "exchange");
        RequireShort(message.RoutingKey, "routing key");
        var given = message.Properties;
        var properties = new BasicProperties
        {
            MessageId = message.Id,
            AppId = AppId,
            Timestamp = new AmqpTimestamp(message.CreatedAt.ToUnixTimeSeconds()),
            DeliveryMode = given.Transient ? DeliveryModes.Transient : DeliveryModes.Persistent,
            Headers = NoHeaders,
            Expiration = message.Expiration is { } left ? Milliseconds(left) : null,
        };
        if (given.ContentType is { } contentType)
        {
            RequireShort(contentType, "content type");
            properties.ContentType = contentType;
        }

        if (given.Priority is { } priority)
        {
            properties.Priority = priority;
        }

        if (given.Headers is { Count: > 0 } headers)
        {
            AddHeaders(properties, headers, frameMax);
        }

        return properties;
    }

    private static void AddHeaders(BasicProperties properties, IReadOnlyDictionary<string, object?> headers, uint frameMax)
    {
        // The frame of the properties: its own 8 bytes, class, weight and body size (12), 2 of flags counted below.
        const int overhead = 8 + 12;
        foreach (string name in headers.Keys)
        {
            RequireShort(name, "header name");
        }

        properties.Headers = new Dictionary<string, object?>(headers, StringComparer.Ordinal);
        var bytes = Measure(properties) + overhead;
        if (frameMax > 0 && bytes > frameMax)
        {
            // Unlike a body, properties cannot be split: the broker would close the whole connection.
            throw new UnsendableMessageException(string.Create(CultureInfo.InvariantCulture, $"the headers take {bytes} bytes, the server takes {frameMax}"));
        }
    }

    private static int Measure(IAmqpWriteable properties)
    {
        try
        {
            return properties.GetRequiredBufferSize();
        }
        catch (WireFormattingException unknown)
        {
            // A value of a type that AMQP tables have no place for; the spool lets none in.
            throw new UnsendableMessageException($"a header cannot be encoded: {unknown.Message}");
        }
    }

    private static string? Milliseconds(TimeSpan left)
    {
        // Beyond the limit it is left out: late is better than a message that ends before its time.
        var milliseconds = Math.Max(0, Math.Ceiling(left.TotalMilliseconds));
        return milliseconds > LongestExpirationMilliseconds ? null : milliseconds.ToString(CultureInfo.InvariantCulture);
    }

    private static void RequireShort(string text, string what)
    {
        // One UTF-16 unit is at most three bytes: short ones, nearly all, need no counting.
        if (text.Length > ShortTextBytes / 3 && Encoding.UTF8.GetByteCount(text) is var bytes && bytes > ShortTextBytes)
        {
            throw new UnsendableMessageException(string.Create(CultureInfo.InvariantCulture, $"the {what} takes {bytes} bytes, AMQP allows {ShortTextBytes}"));
        }
    }
}
