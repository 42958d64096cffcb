using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;

namespace Quickq.Spool.Service;

/// <summary>The payload of an <c>a</c> frame: 4 bytes length of the JSON, the JSON, then the bodies one behind the other.</summary>
internal static class AddPayload
{
    private const int LengthBytes = 4;
    private const long LatestTime = 253_402_300_799_999_999; // in microseconds: the end of the year 9999

    /// <summary>The payload for these messages, each of which has an id.</summary>
    /// <exception cref="ProtocolException">Together they are too large for a frame.</exception>
    public static byte[] Encode(IReadOnlyList<OutgoingMessage> messages)
    {
        var json = new ArrayBufferWriter<byte>(256 * messages.Count);
        using (var writer = new Utf8JsonWriter(json))
        {
            writer.WriteStartArray();
            foreach (OutgoingMessage message in messages)
            {
                Write(writer, message);
            }

            writer.WriteEndArray();
        }

        long total = LengthBytes + json.WrittenCount + messages.Sum(message => (long)message.Body.Length);
        if (total > Frame.MaxPayload)
        {
            throw new ProtocolException(string.Create(CultureInfo.InvariantCulture, $"one request holds at most {Frame.MaxPayload:N0} bytes, not {total:N0}"));
        }

        byte[] payload = new byte[total];
        BinaryPrimitives.WriteInt32BigEndian(payload, json.WrittenCount);
        json.WrittenSpan.CopyTo(payload.AsSpan(LengthBytes));
        int end = LengthBytes + json.WrittenCount;
        foreach (OutgoingMessage message in messages)
        {
            message.Body.Span.CopyTo(payload.AsSpan(end));
            end += message.Body.Length;
        }

        return payload;
    }

    /// <summary>Reads the messages; their bodies are parts of <paramref name="payload"/>.</summary>
    /// <exception cref="ProtocolException">The lengths do not add up, or the JSON is no array of objects with the members of the protocol.</exception>
    /// <exception cref="InvalidMessageException">One message has a value that no message may have.</exception>
    public static IReadOnlyList<OutgoingMessage> Decode(ReadOnlyMemory<byte> payload, string path)
    {
        ReadOnlySpan<byte> bytes = payload.Span;
        if (bytes.Length < LengthBytes || BinaryPrimitives.ReadUInt32BigEndian(bytes) is var jsonLength && jsonLength > bytes.Length - LengthBytes)
        {
            throw new ProtocolException("invalid add request: the JSON is longer than the frame");
        }

        var messages = new List<OutgoingMessage>();
        ReadOnlyMemory<byte> bodies = payload[(LengthBytes + (int)jsonLength)..];
        try
        {
            using JsonDocument document = JsonDocument.Parse(payload.Slice(LengthBytes, (int)jsonLength));
            foreach (JsonElement item in document.RootElement.EnumerateArray())
            {
                int length = item.GetProperty("body").GetInt32();
                if (length < 0 || length > bodies.Length)
                {
                    throw new ProtocolException("invalid add request: the bodies are longer than the frame");
                }

                messages.Add(Read(item, bodies[..length], messages.Count, path));
                bodies = bodies[length..];
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new ProtocolException($"invalid add request: {exception.Message}", exception);
        }

        return bodies.IsEmpty ? messages : throw new ProtocolException("invalid add request: the bodies are shorter than the frame");
    }

    private static void Write(Utf8JsonWriter writer, OutgoingMessage message)
    {
        writer.WriteStartObject();
        writer.WriteString("id", message.Id);
        writer.WriteNumber("body", message.Body.Length);
        if (message.Exchange is not null)
        {
            writer.WriteString("exchange", message.Exchange);
        }

        if (message.RoutingKey.Length > 0)
        {
            writer.WriteString("routingKey", message.RoutingKey);
        }

        if (message.Properties.ToJson() is { Length: > 2 } properties)
        {
            writer.WritePropertyName("properties");
            writer.WriteRawValue(properties);
        }

        WriteMicroseconds(writer, "ttl", message.TimeToLive?.Ticks / TimeSpan.TicksPerMicrosecond);
        WriteMicroseconds(writer, "expiresAt", message.ExpiresAt is { } end ? SpoolTime.ToMicroseconds(end) : null);
        WriteMicroseconds(writer, "createdAt", message.CreatedAt is { } accepted ? SpoolTime.ToMicroseconds(accepted) : null);
        writer.WriteEndObject();
    }

    private static void WriteMicroseconds(Utf8JsonWriter writer, string name, long? value)
    {
        if (value is { } microseconds)
        {
            writer.WriteNumber(name, microseconds);
        }
    }

    private static OutgoingMessage Read(JsonElement item, ReadOnlyMemory<byte> body, int index, string path)
    {
        try
        {
            return new OutgoingMessage
            {
                Id = Text(item, "id") ?? throw Invalid("the id is missing", "make a UUID of version 7, and repeat it with a repeated request"),
                Body = body,
                Exchange = Text(item, "exchange"),
                RoutingKey = Text(item, "routingKey") ?? "",
                Properties = Value(item, "properties") is { } properties ? MessageProperties.FromJson(properties.GetRawText()) : MessageProperties.None,
                TimeToLive = Microseconds(item, "ttl") is { } ttl ? Duration(ttl) : null,
                ExpiresAt = Time("expiresAt"),
                CreatedAt = Time("createdAt"),
            };
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or FormatException)
        {
            throw Invalid($"invalid message: {exception.Message}", hint: null);
        }

        DateTimeOffset? Time(string name) => Microseconds(item, name) switch
        {
            null => null,
            >= 0 and <= LatestTime and var microseconds => SpoolTime.FromMicroseconds(microseconds),
            _ => throw Invalid($"{name} must be microseconds since 1970, up to the year 9999", "check the unit"),
        };

        InvalidMessageException Invalid(string message, string? hint) => new(new SpoolException(SpoolFault.InvalidMessage, path, message, hint), index);
    }

    private static JsonElement? Value(JsonElement item, string name) =>
        item.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private static string? Text(JsonElement item, string name) => Value(item, name)?.GetString();

    private static long? Microseconds(JsonElement item, string name) => Value(item, name)?.GetInt64();

    /// <summary>As long as a <see cref="TimeSpan"/> goes: what is longer is refused by the rules for messages, not here.</summary>
    private static TimeSpan Duration(long microseconds) => TimeSpan.FromTicks(
        Math.Clamp(microseconds, long.MinValue / TimeSpan.TicksPerMicrosecond, long.MaxValue / TimeSpan.TicksPerMicrosecond) * TimeSpan.TicksPerMicrosecond);
}

/// <summary>One message of a request cannot be stored; <see cref="Index"/> says which.</summary>
internal sealed class InvalidMessageException(SpoolException refusal, int index) : Exception(refusal.Message, refusal)
{
    public SpoolException Refusal { get; } = refusal;

    public int Index { get; } = index;
}
