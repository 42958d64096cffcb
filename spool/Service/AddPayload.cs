using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;

namespace Quickq.Spool.Service;

/// <summary>The payload of an <c>a</c> frame: 4 bytes length of the JSON, the JSON, then the bodies one behind the other.</summary>
internal static class AddPayload
{
    /// <summary>Messages in one request.</summary>
    public const int MaxMessages = 10_000;

    /// <summary>Bytes of the JSON in one request: 8 MiB.</summary>
    public const int MaxJson = 8 * 1024 * 1024;

    private const int LengthBytes = 4;
    private const long LatestTime = 253_402_300_799_999_999; // in microseconds: the end of the year 9999

    /// <summary>The payload for these messages, each of which has an id.</summary>
    /// <exception cref="ProtocolException">They are too many, or together too large, for one request.</exception>
    public static byte[] Encode(IReadOnlyList<OutgoingMessage> messages)
    {
        if (messages.Count > MaxMessages)
        {
            throw new ProtocolException(string.Create(CultureInfo.InvariantCulture, $"one request holds at most {MaxMessages:N0} messages, not {messages.Count:N0}"));
        }

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

        if (json.WrittenCount > MaxJson)
        {
            throw new ProtocolException(TooMuchJson(json.WrittenCount));
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

    /// <summary>How many messages there are, without taking one apart: what they will need can be known before it is needed.</summary>
    /// <exception cref="ProtocolException">The lengths do not add up, or the JSON is no array.</exception>
    /// <exception cref="InvalidMessageException">They are too many for one request.</exception>
    public static int Count(ReadOnlyMemory<byte> payload, string path)
    {
        int length = JsonLength(payload.Span);
        if (length > MaxJson)
        {
            throw TooMany(TooMuchJson(length));
        }

        try
        {
            var reader = new Utf8JsonReader(payload.Span.Slice(LengthBytes, length));
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartArray)
            {
                throw new ProtocolException("invalid add request: the JSON must be an array");
            }

            int count = 0;
            for (; reader.Read() && reader.TokenType != JsonTokenType.EndArray; count++)
            {
                reader.Skip();
                if (count == MaxMessages)
                {
                    throw TooMany(string.Create(CultureInfo.InvariantCulture, $"one request holds at most {MaxMessages:N0} messages"));
                }
            }

            return count;
        }
        catch (JsonException exception)
        {
            throw Unreadable(exception);
        }

        InvalidMessageException TooMany(string message) => new(new SpoolException(SpoolFault.InvalidMessage, path, message, "send fewer in one request"), index: null);
    }

    /// <summary>Reads the messages, of which <see cref="Count"/> has allowed the number; their bodies are parts of <paramref name="payload"/>.</summary>
    /// <exception cref="ProtocolException">The lengths do not add up, or the JSON is no array of objects with the members of the protocol.</exception>
    /// <exception cref="InvalidMessageException">One message has a value that no message may have.</exception>
    public static IReadOnlyList<OutgoingMessage> Decode(ReadOnlyMemory<byte> payload, string path)
    {
        int jsonLength = JsonLength(payload.Span);
        var messages = new List<OutgoingMessage>();
        ReadOnlyMemory<byte> bodies = payload[(LengthBytes + jsonLength)..];
        try
        {
            using JsonDocument document = JsonDocument.Parse(payload.Slice(LengthBytes, jsonLength));
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
            throw Unreadable(exception);
        }

        return bodies.IsEmpty ? messages : throw new ProtocolException("invalid add request: the bodies are shorter than the frame");
    }

    private static int JsonLength(ReadOnlySpan<byte> payload) =>
        payload.Length >= LengthBytes && BinaryPrimitives.ReadUInt32BigEndian(payload) is var length && length <= payload.Length - LengthBytes
            ? (int)length
            : throw new ProtocolException("invalid add request: the JSON is longer than the frame");

    private static ProtocolException Unreadable(Exception exception) => new($"invalid add request: {exception.Message}", exception);

    private static string TooMuchJson(int bytes) => string.Create(CultureInfo.InvariantCulture, $"one request holds at most {MaxJson:N0} bytes of JSON, not {bytes:N0}");

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

        if (message.Servers is not null)
        {
            writer.WriteStartArray("servers");
            foreach (string name in message.Servers)
            {
                writer.WriteStringValue(name);
            }

            writer.WriteEndArray();
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
                Servers = Value(item, "servers") is { } servers ? [.. servers.EnumerateArray().Select(name => name.GetString() ?? "")] : null,
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

/// <summary>One message of a request cannot be stored, and <see cref="Index"/> says which; or the request is too large, and it is null.</summary>
internal sealed class InvalidMessageException(SpoolException refusal, int? index) : Exception(refusal.Message, refusal)
{
    public SpoolException Refusal { get; } = refusal;

    public int? Index { get; } = index;
}
