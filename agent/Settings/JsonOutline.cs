using System.Globalization;
using System.Text.Json;

namespace Quickq.Agent.Settings;

/// <summary>
/// The kinds of the values in a JSON file, by path. The configuration library turns every value into a text and lets a
/// name that stands twice win or merge without a word; the outline is what tells a wrong type or a doubled name.
/// </summary>
internal sealed class JsonOutline
{
    private readonly Dictionary<string, JsonTokenType> _kinds = new(StringComparer.OrdinalIgnoreCase);

    private JsonOutline()
    {
    }

    public static JsonOutline Empty { get; } = new();

    /// <summary>What the file holds at <c>servers:mq1:port</c>; None where it holds nothing.</summary>
    public JsonTokenType KindAt(string key) => _kinds.GetValueOrDefault(key);

    /// <summary>Reads the outline of a file, comments and trailing commas allowed.</summary>
    public static JsonOutline Read(ReadOnlySpan<byte> json, string file, ConfigErrors errors)
    {
        var outline = new JsonOutline();
        try
        {
            // As the configuration library has it: comments are skipped, the last comma may be one too many.
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                errors.Add(file, "must contain a JSON object; see quickq.json(5)");
                return outline;
            }

            outline.ReadObject(ref reader, key: "", errors);
            reader.Read();
        }
        catch (JsonException wrong)
        {
            var place = string.Create(CultureInfo.InvariantCulture, $"line {wrong.LineNumber + 1}, column {wrong.BytePositionInLine + 1}");
            errors.Add(file, $"invalid JSON at {place}: {ReasonOf(WithoutPlace(wrong.Message))}");
        }

        return outline;
    }

    private void ReadObject(ref Utf8JsonReader reader, string key, ConfigErrors errors)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = TextOf(ref reader, key, errors);
            var path = key.Length == 0 ? name : $"{key}:{name}";
            reader.Read();
            if (name.Contains(':', StringComparison.Ordinal))
            {
                errors.Add(name.Contains('@', StringComparison.Ordinal) ? $"{key.Replace(':', '.')}: a name (not shown: it may hold a password)" : path.Replace(':', '.'), "the name of a setting cannot hold a colon; take another name");
            }
            else if (!_kinds.TryAdd(path, reader.TokenType))
            {
                errors.Add(path.Replace(':', '.'), "duplicate setting (names are case-insensitive)");
            }

            ReadValue(ref reader, path, errors);
        }
    }

    private void ReadValue(ref Utf8JsonReader reader, string key, ConfigErrors errors)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            TextOf(ref reader, key, errors);
        }
        else if (reader.TokenType == JsonTokenType.StartObject)
        {
            ReadObject(ref reader, key, errors);
        }
        else if (reader.TokenType == JsonTokenType.StartArray)
        {
            for (var i = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; i++)
            {
                var path = string.Create(CultureInfo.InvariantCulture, $"{key}:{i}");
                _kinds[path] = reader.TokenType;
                ReadValue(ref reader, path, errors);
            }
        }
    }

    /// <summary>What the token says; an error, and empty, when it is no text at all.</summary>
    private static string TextOf(ref Utf8JsonReader reader, string key, ConfigErrors errors)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException)
        {
            errors.Add(key.Length == 0 ? "the file" : key.Replace(':', '.'), "contains an unpaired surrogate (\\ud800 to \\udfff) and cannot be encoded as UTF-8");
            return "";
        }
    }

    // An unquoted word is not repeated: it may be a password.
    private static string ReasonOf(string message) =>
        message.Contains("invalid JSON literal", StringComparison.Ordinal) ? "unquoted text: put strings in double quotes"
        : message.StartsWith('\'') && message.IndexOf("' is an invalid start of ", 1, StringComparison.Ordinal) is > 0 and var end ? $"unexpected {message[..(end + 1)]}"
        : message;

    // The place is said in front, counted from 1 as editors do.
    private static string WithoutPlace(string message)
    {
        var place = message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return place < 0 ? message : message[..place];
    }
}
