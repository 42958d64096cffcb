using System.Globalization;
using System.Text;
using System.Text.Json;
using Quickq.SpoolCli.CommandLine;

namespace Quickq.SpoolCli.Intake;

/// <summary>
/// A routing key with places for members of the payload: <c>{satellite_ID}.reserved</c>, <c>{a[b]}</c> for a member of a
/// member (or an element of an array), <c>{{</c> and <c>}}</c> for braces.
/// </summary>
internal sealed class TopicTemplate
{
    private const string Syntax = "a place is {member} or {member[inner]}; a brace itself is written twice";
    private readonly List<Part> _parts;

    private TopicTemplate(List<Part> parts) => _parts = parts;

    /// <summary>Whether there is any place, so that the payload must be JSON.</summary>
    public bool HasPlaces => _parts.Exists(part => part.Path is not null);

    public static TopicTemplate Parse(string text)
    {
        var parts = new List<Part>();
        var literal = new StringBuilder();
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c is '{' or '}' && i + 1 < text.Length && text[i + 1] == c)
            {
                literal.Append(c);
                i++;
            }
            else if (c == '{')
            {
                var end = text.IndexOf('}', i);
                parts.Add(new Part(literal.ToString(), null));
                parts.Add(end < 0 ? throw Wrong(text, "a '{' has no '}'") : new Part(text[i..(end + 1)], ParsePath(text, text[(i + 1)..end])));
                literal.Clear();
                i = end;
            }
            else
            {
                literal.Append(c == '}' ? throw Wrong(text, "a '}' has no '{'") : c);
            }
        }

        parts.Add(new Part(literal.ToString(), null));
        return new TopicTemplate(parts);
    }

    /// <summary>The routing key for one payload.</summary>
    /// <param name="payload">The payload; not needed when the template has no places.</param>
    public string Expand(JsonElement payload)
    {
        var key = new StringBuilder();
        foreach (var part in _parts)
        {
            key.Append(part.Path is null ? part.Text : ValueAt(payload, part));
        }

        return key.ToString();
    }

    private static string[] ParsePath(string text, string place)
    {
        var name = place.AsSpan();
        var bracket = name.IndexOf('[');
        var path = new List<string> { (bracket < 0 ? name : name[..bracket]).ToString() };
        for (var rest = bracket < 0 ? [] : name[bracket..]; !rest.IsEmpty;)
        {
            var end = rest.IndexOf(']');
            if (rest[0] != '[' || end < 0)
            {
                throw Wrong(text, $"'{{{place}}}' is not a place");
            }

            path.Add(rest[1..end].ToString());
            rest = rest[(end + 1)..];
        }

        return path.Contains("") || place.Contains('{') ? throw Wrong(text, $"'{{{place}}}' is not a place") : [.. path];
    }

    private static string ValueAt(JsonElement payload, Part part)
    {
        var value = payload;
        foreach (var name in part.Path!)
        {
            value = Step(value, name) ?? throw CommandException.BadData(
                $"the topic needs {part.Text}, and the message has no '{name}' there", "put it into the payload, or give it with --metadata");
        }

        return value.ValueKind switch
        {
            JsonValueKind.String => Text(value, part),
            JsonValueKind.Number => value.GetRawText(),
            JsonValueKind.True => "true",
            JsonValueKind.False => "false",
            _ => throw CommandException.BadData(
                $"the topic needs {part.Text}, and the message has {Named(value.ValueKind)} there", "a place takes a text, a number, true or false"),
        };
    }

    private static JsonElement? Step(JsonElement value, string name) => value.ValueKind switch
    {
        JsonValueKind.Object => value.TryGetProperty(name, out var member) ? member : null,
        JsonValueKind.Array => int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index < value.GetArrayLength() ? value[index] : null,
        _ => null,
    };

    private static string Text(JsonElement value, Part part)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            // Half of a surrogate pair, written as an escape: JSON allows it, no encoding can carry it.
            throw CommandException.BadData($"the topic needs {part.Text}, and the message has half a character there", "correct the payload");
        }
    }

    private static string Named(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        _ => "null",
    };

    private static CommandException Wrong(string text, string fault) => CommandException.WrongUse($"--topic '{text}': {fault}", Syntax);

    /// <summary>A literal text, or a place with the way to its value.</summary>
    private readonly record struct Part(string Text, string[]? Path);
}
