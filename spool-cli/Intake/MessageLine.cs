using System.Globalization;
using System.Text;
using System.Text.Json;
using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;

namespace Quickq.SpoolCli.Intake;

/// <summary>Reads a line of <c>export</c>; a member that it does not know is ignored.</summary>
internal static class MessageLine
{
    private const string Form = "each line is an object as 'quickq-spool export' writes it";

    public static OutgoingMessage Read(ReadOnlyMemory<byte> line)
    {
        if (JsonText.Fault(line.Span) is { } fault)
        {
            throw CommandException.BadData($"not JSON ({fault})", Form);
        }

        using var document = JsonText.Parse(line, "import");
        var message = document.RootElement;
        if (message.ValueKind != JsonValueKind.Object)
        {
            throw CommandException.BadData("not a JSON object", Form);
        }

        return new OutgoingMessage
        {
            // Without an id, importing twice would store twice.
            Id = Text(message, "id") ?? throw CommandException.BadData("there is no id", Form),
            Exchange = Text(message, "exchange"),
            RoutingKey = Text(message, "routingKey") ?? "",
            Properties = Properties(message),
            CreatedAt = Instant(message, "createdAt"),
            ExpiresAt = Instant(message, "expiresAt"),
            Servers = Servers(message),
            Body = Body(message),
        };
    }

    private static byte[] Body(JsonElement message)
    {
        var text = Text(message, "body");
        if (text is not null == (Text(message, "bodyBase64") is { } coded))
        {
            throw CommandException.BadData(text is null ? "there is neither body nor bodyBase64" : "there are both body and bodyBase64", Form);
        }

        try
        {
            return text is not null ? Encoding.UTF8.GetBytes(text) : Convert.FromBase64String(Text(message, "bodyBase64")!);
        }
        catch (FormatException)
        {
            throw CommandException.BadData("bodyBase64 is not base64", Form);
        }
    }

    private static string[]? Servers(JsonElement message) => !Find(message, "servers", JsonValueKind.Array, out var names) ? null
        : names.EnumerateArray().All(name => name.ValueKind == JsonValueKind.String) ? [.. names.EnumerateArray().Select(name => Decode("servers", name)!)]
        : throw CommandException.BadData("servers is not a list of texts", Form);

    private static MessageProperties Properties(JsonElement message)
    {
        if (!Find(message, "properties", JsonValueKind.Object, out var properties))
        {
            return MessageProperties.None;
        }

        try
        {
            return MessageProperties.FromJson(properties.GetRawText());
        }
        catch (JsonException exception)
        {
            throw CommandException.BadData($"the properties cannot be read: {exception.Message}", "see docs/spool-format.md");
        }
    }

    private static DateTimeOffset? Instant(JsonElement message, string name)
    {
        if (Text(message, name) is not { } text)
        {
            return null;
        }

        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var instant)
            ? instant
            : throw CommandException.BadData($"{name} '{text}' is not a time", "write 2026-01-02T03:04:05.123456Z");
    }

    private static string? Text(JsonElement message, string name)
    {
        return Find(message, name, JsonValueKind.String, out var value) ? Decode(name, value) : null;
    }

    private static string? Decode(string name, JsonElement value)
    {
        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException)
        {
            // A lone half of a surrogate pair, escaped: JSON allows it, UTF-8 has no form for it.
            throw CommandException.BadData($"{name} contains an unpaired surrogate and cannot be encoded as UTF-8", $"correct {name}, or give bodyBase64");
        }
    }

    /// <summary>False when the member is missing or null, which is the same.</summary>
    private static bool Find(JsonElement message, string name, JsonValueKind kind, out JsonElement value)
    {
        if (!message.TryGetProperty(name, out value) || value.ValueKind == JsonValueKind.Null)
        {
            return false;
        }

        return value.ValueKind == kind ? true : throw CommandException.BadData($"{name} is not {Words(kind)}", Form);
    }

    private static string Words(JsonValueKind kind) => kind switch
    {
        JsonValueKind.String => "a text",
        JsonValueKind.Array => "a list",
        _ => "an object",
    };
}
