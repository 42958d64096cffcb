using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Quickq.Spool;

/// <summary>The AMQP properties that a producer may set. Stored in the spool as a JSON object.</summary>
public sealed record MessageProperties
{
    /// <summary>No properties: persistent, without content type, headers or priority.</summary>
    public static readonly MessageProperties None = new();

    private static readonly SearchValues<char> PlainCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/.-_;= ");

    /// <summary>AMQP <c>content-type</c>, at most 255 bytes.</summary>
    public string? ContentType { get; init; }

    /// <summary>AMQP headers. Values: <see cref="string"/>, <see cref="long"/>, <see cref="double"/>, <see cref="bool"/> or null.</summary>
    public IReadOnlyDictionary<string, object?>? Headers { get; init; }

    /// <summary>AMQP <c>priority</c>, 0-255.</summary>
    public byte? Priority { get; init; }

    /// <summary>True sends delivery mode 1: the broker may lose the message when it restarts. The spool keeps it safe all the same.</summary>
    public bool Transient { get; init; }

    /// <summary>The stored form: <c>contentType</c>, <c>headers</c>, <c>priority</c>, <c>transient</c>, each only where set.</summary>
    public string ToJson()
    {
        if (ContentType is null && Headers is null or { Count: 0 } && Priority is null && !Transient)
        {
            return "{}";
        }

        // What nearly every message has: setting up the JSON writer's escape tables costs 2 % of a whole 'quickq-spool add'.
        if (Headers is null or { Count: 0 } && Priority is null && !Transient && ContentType.AsSpan().IndexOfAnyExcept(PlainCharacters) < 0)
        {
            return $"{{\"contentType\":\"{ContentType}\"}}";
        }

        var buffer = new ArrayBufferWriter<byte>(128);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (ContentType is not null)
            {
                json.WriteString("contentType", ContentType);
            }

            if (Headers is { Count: > 0 })
            {
                json.WriteStartObject("headers");
                foreach ((string name, object? value) in Headers)
                {
                    json.WritePropertyName(name);
                    WriteHeader(json, value);
                }

                json.WriteEndObject();
            }

            if (Priority is { } priority)
            {
                json.WriteNumber("priority", priority);
            }

            if (Transient)
            {
                json.WriteBoolean("transient", value: true);
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    /// <summary>Reads the stored form. False, with the reason, when the text is not such an object: another program may have stored anything.</summary>
    internal static bool TryFromJson(string json, out MessageProperties properties, [NotNullWhen(false)] out string? fault)
    {
        try
        {
            (properties, fault) = (FromJson(json), null);
            return true;
        }
        catch (JsonException unreadable)
        {
            (properties, fault) = (None, unreadable.Message);
            return false;
        }
    }

    /// <summary>Reads the stored form; members that it does not know are ignored.</summary>
    /// <exception cref="JsonException">The text is not such an object, or holds a number that is too large for AMQP.</exception>
    public static MessageProperties FromJson(string json)
    {
        if (json.Length == 2 && string.Equals(json, "{}", StringComparison.Ordinal))
        {
            return None;
        }

        using JsonDocument document = JsonDocument.Parse(json);
        JsonElement root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new JsonException("message properties must be a JSON object");
        }

        try
        {
            return new MessageProperties
            {
                ContentType = root.TryGetProperty("contentType", out JsonElement type) ? type.GetString() : null,
                Headers = root.TryGetProperty("headers", out JsonElement headers) ? ReadHeaders(headers) : null,
                Priority = root.TryGetProperty("priority", out JsonElement priority) ? priority.GetByte() : null,
                Transient = root.TryGetProperty("transient", out JsonElement transient) && transient.GetBoolean(),
            };
        }
        catch (Exception wrongType) when (wrongType is InvalidOperationException or FormatException)
        {
            throw new JsonException("a member of the message properties has the wrong type: " + wrongType.Message, wrongType);
        }
    }

    /// <summary>True when content type and headers, the parts that count as content of a message, are the same.</summary>
    internal bool HasSameContent(MessageProperties other)
    {
        return string.Equals(ContentType, other.ContentType, StringComparison.Ordinal)
            && (Headers?.Count ?? 0) == (other.Headers?.Count ?? 0)
            && (Headers is null || Headers.All(header => other.Headers is not null
                && other.Headers.TryGetValue(header.Key, out object? value) && Equals(value, header.Value)));
    }

    private static void WriteHeader(Utf8JsonWriter json, object? value)
    {
        switch (value)
        {
            case null: json.WriteNullValue(); break;
            case string text: json.WriteStringValue(text); break;
            case bool truth: json.WriteBooleanValue(truth); break;
            case long number: json.WriteNumberValue(number); break;
            case int number: json.WriteNumberValue(number); break;
            case double number when double.IsFinite(number):
                // A whole number keeps its point, else it would come back as an integer.
                string text1 = number.ToString("R", CultureInfo.InvariantCulture);
                json.WriteRawValue(text1.AsSpan().IndexOfAny('.', 'E') < 0 ? text1 + ".0" : text1);
                break;
            default:
                throw new ArgumentException($"a header value of type {value.GetType().Name} is not valid in AMQP; use a string, a number, true, false or null");
        }
    }

    private static Dictionary<string, object?> ReadHeaders(JsonElement headers)
    {
        var result = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (JsonProperty header in headers.EnumerateObject())
        {
            result[header.Name] = header.Value.ValueKind switch
            {
                JsonValueKind.String => header.Value.GetString(),
                JsonValueKind.True => true,
                JsonValueKind.False => false,
                JsonValueKind.Null => null,
                JsonValueKind.Number => ReadNumber(header),
                _ => throw new JsonException($"header '{header.Name}' is neither text, number, true, false nor null"),
            };
        }

        return result;
    }

    private static object ReadNumber(JsonProperty header)
    {
        if (header.Value.GetRawText().AsSpan().IndexOfAny('.', 'e', 'E') < 0 && header.Value.TryGetInt64(out long whole))
        {
            return whole;
        }

        double number = header.Value.GetDouble();
        return double.IsFinite(number) ? number : throw new JsonException($"header '{header.Name}' is a number too large for AMQP");
    }
}
