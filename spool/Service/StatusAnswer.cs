using System.Globalization;
using System.Text.Json;

namespace Quickq.Spool.Service;

/// <summary>Reads what the service says of messages: the objects of <c>status ID --json</c>.</summary>
internal static class StatusAnswer
{
    /// <summary>The answer to <c>status</c> of one message: null when it is not in the spool.</summary>
    public static MessageStatus? ReadMessage(byte[] answer, SpoolLocation service) => Read(answer, service, root => Messages(root).Single());

    /// <summary>Whether it is the answer to an <c>a</c> of messages with these ids, in this order.</summary>
    public static bool Confirms(byte[] answer, IReadOnlyList<string> ids)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(answer);
            return document.RootElement.GetProperty("ids").EnumerateArray().Select(id => id.GetString()).SequenceEqual(ids, StringComparer.Ordinal);
        }
        catch (Exception unreadable) when (unreadable is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return false;
        }
    }

    /// <summary>The answer to <c>wait</c>.</summary>
    public static (SettlementProgress Progress, IReadOnlyList<MessageStatus?> Messages) ReadWait(byte[] answer, SpoolLocation service) =>
        Read(answer, service, root => (
            root.GetProperty("outcome").GetString() switch
            {
                "delivered" => SettlementProgress.Delivered,
                "never" => SettlementProgress.Rejected,
                _ => SettlementProgress.Pending,
            },
            Messages(root)));

    private static T Read<T>(byte[] answer, SpoolLocation service, Func<JsonElement, T> read)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(answer);
            return read(document.RootElement);
        }
        catch (Exception unreadable) when (unreadable is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new SpoolException(SpoolFault.InputOutput, service.Name, $"the answer of the spool service cannot be read: {unreadable.Message}", inner: unreadable);
        }
    }

    private static IReadOnlyList<MessageStatus?> Messages(JsonElement root) => [.. root.GetProperty("messages").EnumerateArray().Select(Message)];

    private static MessageStatus? Message(JsonElement message) => message.ValueKind == JsonValueKind.Null ? null : new MessageStatus(
        message.GetProperty("id").GetString()!,
        Text(message, "exchange"),
        Text(message, "routingKey") ?? "",
        Time(message, "createdAt") ?? DateTimeOffset.UnixEpoch,
        Time(message, "expiresAt"),
        [.. message.GetProperty("deliveries").EnumerateArray().Select(Delivery)])
    {
        Servers = message.TryGetProperty("servers", out JsonElement names) && names.ValueKind == JsonValueKind.Array ? [.. names.EnumerateArray().Select(name => name.GetString()!)] : null,
        AddedBy = message.TryGetProperty("addedBy", out JsonElement uid) && uid.ValueKind == JsonValueKind.Number ? uid.GetUInt32() : null,
    };

    private static DeliveryStatus Delivery(JsonElement row) => new(
        row.GetProperty("server").GetString()!,
        !row.TryGetProperty("active", out JsonElement active) || active.GetBoolean(),
        row.GetProperty("state").GetString()!,
        row.TryGetProperty("attempts", out JsonElement attempts) ? attempts.GetInt32() : 0,
        Time(row, "nextAttemptAt"),
        Time(row, "settledAt"),
        Text(row, "endpoint"),
        Text(row, "reason"));

    private static string? Text(JsonElement row, string name) => row.TryGetProperty(name, out JsonElement value) ? value.GetString() : null;

    private static DateTimeOffset? Time(JsonElement row, string name) => Text(row, name) is { } text
        ? DateTimeOffset.Parse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal)
        : null;
}
