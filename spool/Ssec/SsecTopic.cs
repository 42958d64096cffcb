using System.Globalization;
using System.Text.Json;
using Quickq.Spool.Ssec;

namespace Quickq.Spool;

/// <summary>
/// The topics of the SSEC's Satellite Data Services: nine words,
/// <c>satellite_type.satellite_family.satellite_id.satellite_instrument.medium.server_type.format.classification.status</c>.
/// </summary>
public static class SsecTopic
{
    private const string FamilyWord = "satellite_family";
    private const string TypeWord = "satellite_type";

    /// <summary>The names of the nine words, in their order.</summary>
    public static IReadOnlyList<string> Words => TopicTable.Instance.Words;

    /// <summary>The topic of an event, derived from the members of its payload.</summary>
    /// <param name="payload">The event, a JSON object.</param>
    /// <returns>The topic; <see cref="FindUnusualWords"/> says what is unusual about it.</returns>
    /// <exception cref="FormatException">A word cannot be derived; the message names it.</exception>
    public static string Derive(JsonElement payload)
    {
        if (payload.ValueKind != JsonValueKind.Object)
        {
            throw new FormatException("the payload is no JSON object: no topic can be derived");
        }

        string family = DeriveWord(FamilyWord, payload, family: "");
        string[] words = [.. Words.Select(name => string.Equals(name, FamilyWord, StringComparison.Ordinal) ? family : DeriveWord(name, payload, family))];
        foreach ((string name, string word) in Words.Zip(words))
        {
            CheckWord(name, word);
        }

        return string.Join('.', words);
    }

    /// <summary>What is unusual about a topic: a text for each word that is not among the known ones; none for a perfect topic.</summary>
    /// <exception cref="FormatException">The topic does not have nine words; the message names the missing or odd one.</exception>
    public static IReadOnlyList<string> FindUnusualWords(string topic)
    {
        ArgumentNullException.ThrowIfNull(topic);
        string[] words = topic.Split('.');
        if (words.Length < Words.Count)
        {
            throw new FormatException(Text($"the topic '{topic}' has no {Words[words.Length]} ({words.Length} words of {Words.Count})"));
        }

        if (words.Length > Words.Count)
        {
            throw new FormatException(Text($"the topic '{topic}' has {words.Length} words, not {Words.Count}: '{words[Words.Count]}' is one too many"));
        }

        var unusual = new List<string>();
        foreach ((string name, string word) in Words.Zip(words))
        {
            CheckWord(name, word);
            IReadOnlyList<string> known = TopicTable.Instance.Known(name);
            if (!known.Contains(word, StringComparer.Ordinal))
            {
                unusual.Add($"the {name} '{word}' is not among the known ones ({string.Join(", ", known)})");
            }
        }

        return unusual;
    }

    private static string DeriveWord(string name, JsonElement payload, string family)
    {
        TopicTable table = TopicTable.Instance;
        string member = table.Member(name);
        string? ofFamily = table.OfFamily(family, name);
        string? word = string.Equals(name, TypeWord, StringComparison.Ordinal) ? ofFamily ?? ReadMember(name, member, payload) : ReadMember(name, member, payload) ?? ofFamily;
        if (word is null)
        {
            throw new FormatException($"the payload has no {member}: the topic's word {name} cannot be derived");
        }

        if (table.IsLowerCase(name))
        {
            word = word.ToLowerInvariant();
        }

        if (table.Prefix(family, name) is { } prefix && word.StartsWith(prefix, StringComparison.Ordinal))
        {
            word = word[prefix.Length..];
        }

        return table.Synonym(name, word);
    }

    private static string? ReadMember(string name, string member, JsonElement payload)
    {
        if (!payload.TryGetProperty(member, out JsonElement value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        return value.ValueKind switch
        {
            JsonValueKind.String => value.GetString(),
            JsonValueKind.Number when value.GetRawText().AsSpan().IndexOfAny('.', 'e', 'E') < 0 => value.GetRawText(),
            _ => throw new FormatException($"the payload's {member} is neither text nor a whole number: the topic's word {name} cannot be derived"),
        };
    }

    private static void CheckWord(string name, string word)
    {
        if (word.Length == 0)
        {
            throw new FormatException($"the topic's word {name} is missing");
        }

        if (word.AsSpan().IndexOfAny(". \t\r\n*#") >= 0)
        {
            throw new FormatException($"the topic's word {name} is '{word}': a word has no dots, spaces or wildcards");
        }
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
