using System.Buffers;
using System.Text.Json;
using System.Text.Unicode;
using Quickq.Spool;

namespace Quickq.SpoolCli.Output;

/// <summary>The lines of <c>export</c>: a message whole, so that <c>import</c> makes the same one of it.</summary>
internal sealed class MessageLineWriter(Stream output)
{
    private const int FlushAt = 64 * 1024;
    private readonly ArrayBufferWriter<byte> _lines = new(FlushAt);

    public void Write(OutgoingMessage message)
    {
        using (var json = new Utf8JsonWriter(_lines, new JsonWriterOptions { Encoder = Json.PlainEncoder }))
        {
            json.WriteStartObject();
            json.WriteString("id", message.Id);
            json.WriteString("exchange", message.Exchange);
            json.WriteString("routingKey", message.RoutingKey);
            json.WritePropertyName("properties");
            json.WriteRawValue(message.Properties.ToJson());
            json.WriteString("createdAt", Time.Exact(message.CreatedAt));
            json.WriteString("expiresAt", Time.Exact(message.ExpiresAt));
            WriteServers(json, message.Servers);
            if (Utf8.IsValid(message.Body.Span))
            {
                json.WriteString("body", message.Body.Span);
            }
            else
            {
                json.WriteBase64String("bodyBase64", message.Body.Span);
            }

            json.WriteEndObject();
        }

        _lines.Write("\n"u8);
        if (_lines.WrittenCount >= FlushAt)
        {
            Flush();
        }
    }

    private static void WriteServers(Utf8JsonWriter json, IReadOnlyList<string>? names)
    {
        if (names is null)
        {
            json.WriteNull("servers");
            return;
        }

        json.WriteStartArray("servers");
        foreach (var name in names)
        {
            json.WriteStringValue(name);
        }

        json.WriteEndArray();
    }

    public void Flush()
    {
        output.Write(_lines.WrittenSpan);
        _lines.ResetWrittenCount();
    }
}
