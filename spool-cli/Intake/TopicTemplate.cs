using System.Globalization;
using System.Text;
using System.Text.Json;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Formatting;

namespace Quickq.SpoolCli.Intake;

/// <summary>
/// A routing key with places for members of the payload: <c>{satellite_ID}.reserved</c>, <c>{a[b]}</c> for a member of a
/// member (or an element of an array), each with a conversion and a format as Python's <c>str.format</c> has them
/// (<c>{band:&gt;03}</c>, <c>{x!s}</c>), <c>{{</c> and <c>}}</c> for braces.
/// </summary>
/// <remarks>Unlike in Python a dot belongs to the member's name: JSON values have no attributes.</remarks>
internal sealed class TopicTemplate
{
    private const string Syntax = "a place is {member}, {member[inner]} or {member:format}; write a brace twice: {{";
    private const string FormatSyntax = "as in Python: {member!conversion:[[fill]align][sign][#][0][width][,][.precision][type]}";

    private readonly List<Part> _parts;

    private TopicTemplate(List<Part> parts) => _parts = parts;

    /// <summary>Whether there is any place, so that the payload must be JSON.</summary>
    public bool HasPlaces => _parts.Exists(part => part.Path is not null);

    /// <summary>Reads a template; 64 where it has no such form, 65 where a place cannot be formatted so whatever its value.</summary>
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
                parts.Add(Part.Literal(literal.ToString()));
                literal.Clear();
                var length = PlaceLength(text, i);
                parts.Add(ParsePlace(text, text.Substring(i, length)));
                i += length - 1;
            }
            else
            {
                literal.Append(c == '}' ? throw Wrong(text, "a '}' has no '{'") : c);
            }
        }

        parts.Add(Part.Literal(literal.ToString()));
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

    /// <summary>How long a place is, with its braces. Within square brackets all characters belong to the member's name.</summary>
    private static int PlaceLength(string text, int start)
    {
        var isInBrackets = false;
        for (var i = start + 1; i < text.Length; i++)
        {
            if (text[i] == '}' && !isInBrackets)
            {
                return i + 1 - start;
            }

            if (!isInBrackets && text[i] is ':' or '!')
            {
                var end = text.IndexOf('}', i);
                return end < 0 ? throw Wrong(text, "a '{' has no '}'") : end + 1 - start;
            }

            isInBrackets = text[i] == '[' || (isInBrackets && text[i] != ']');
        }

        throw Wrong(text, "a '{' has no '}'");
    }

    private static Part ParsePlace(string text, string place)
    {
        var path = ReadPath(text, place, out var format);
        char? conversion = null;
        if (format.StartsWith('!'))
        {
            conversion = format.Length > 1 && format[1] is 's' or 'r' or 'a' && (format.Length == 2 || format[2] == ':') ? format[1]
                : throw CannotFormat(place, "a conversion is !s, !r or !a");
            format = format[2..];
        }

        try
        {
            return format.Contains('{', StringComparison.Ordinal)
                ? throw new FormatException("a place within a format is not supported")
                : new Part(place, path, conversion, FormatSpecification.Parse(format.Length == 0 ? "" : format[1..]));
        }
        catch (FormatException fault)
        {
            throw CannotFormat(place, fault.Message);
        }
    }

    /// <summary>The names that lead to the value; what follows them, from its <c>!</c> or <c>:</c> on, is the format.</summary>
    private static string[] ReadPath(string text, string place, out string format)
    {
        var inside = place[1..^1];
        var end = inside.AsSpan().IndexOfAny('[', ':', '!') is >= 0 and var found ? found : inside.Length;
        var path = new List<string> { inside[..end] };
        while (end < inside.Length && inside[end] == '[')
        {
            var close = inside.IndexOf(']', end);
            if (close < 0)
            {
                throw Wrong(text, $"'{place}' is not a place");
            }

            path.Add(inside[(end + 1)..close]);
            end = close + 1;
        }

        format = inside[end..];
        return path.Contains("") || path[0].AsSpan().IndexOfAny('{', ']') >= 0 || (format.Length > 0 && format[0] is not (':' or '!'))
            ? throw Wrong(text, $"'{place}' is not a place")
            : [.. path];
    }

    private static string ValueAt(JsonElement payload, Part part)
    {
        try
        {
            var value = payload;
            foreach (var name in part.Path!)
            {
                value = Step(value, name) ?? throw CommandException.BadData(
                    $"the topic needs {part.Text}, and the message has no '{name}' there", "put it into the payload, or give it with --metadata");
            }

            return value.ValueKind is JsonValueKind.Object or JsonValueKind.Array
                ? throw CommandException.BadData(
                    $"the topic needs {part.Text}, and the message has {(value.ValueKind == JsonValueKind.Object ? "an object" : "an array")} there",
                    "a place takes a string, a number, true, false or null")
                : PythonFormat.Format(value, part.Conversion, part.Format);
        }
        catch (FormatException fault)
        {
            throw CannotFormat(part.Text, fault.Message);
        }
        catch (InvalidOperationException)
        {
            // Half of a surrogate pair, written as an escape: JSON allows it, no encoding can carry it.
            throw CommandException.BadData($"the topic needs {part.Text}, and the message has half a character there", "correct the payload");
        }
    }

    private static JsonElement? Step(JsonElement value, string name) => value.ValueKind switch
    {
        JsonValueKind.Object => value.TryGetProperty(name, out var member) ? member : null,
        JsonValueKind.Array => int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index < value.GetArrayLength() ? value[index] : null,
        _ => null,
    };

    private static CommandException CannotFormat(string place, string fault) => CommandException.BadData($"the topic has {place}: {fault}", FormatSyntax);

    private static CommandException Wrong(string text, string fault) => CommandException.WrongUse($"--topic '{text}': {fault}", Syntax);

    /// <summary>A literal text, or a place with the way to its value and its format.</summary>
    private readonly record struct Part(string Text, string[]? Path, char? Conversion, FormatSpecification Format)
    {
        public static Part Literal(string text) => new(text, Path: null, Conversion: null, FormatSpecification.None);
    }
}
