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
    private const string SatelliteWord = "satellite_id";
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

        string named = DeriveWord(FamilyWord, payload, family: null, satellite: "");
        TopicFamily? family = TopicTable.Instance.Family(named);
        string? satellite = null;
        string[] words =
        [
            .. Words.Select(name => name switch
            {
                FamilyWord => named,
                SatelliteWord => satellite ??= DeriveWord(name, payload, family, satellite: ""),
                _ => DeriveWord(name, payload, family, satellite ??= DeriveWord(SatelliteWord, payload, family, satellite: "")),
            }),
        ];
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
        TopicFamily? family = TopicTable.Instance.Family(Words.Zip(words).First(pair => string.Equals(pair.First, FamilyWord, StringComparison.Ordinal)).Second);
        foreach ((string name, string word) in Words.Zip(words))
        {
            CheckWord(name, word);
            IEnumerable<string>? known = TopicTable.Instance.Known(name)
                ?? (string.Equals(name, FamilyWord, StringComparison.Ordinal) ? TopicTable.Instance.Families : family?.Known.GetValueOrDefault(name));
            if (known?.Contains(word, StringComparer.Ordinal) == false)
            {
                unusual.Add($"the {name} '{word}' is not among the known ones ({string.Join(", ", known)})");
            }
        }

        return unusual;
    }

    private static string DeriveWord(string name, JsonElement payload, TopicFamily? family, string satellite)
    {
        TopicTable table = TopicTable.Instance;
        string member = table.Member(name);
        string? decided = family?.Decide(name, satellite);
        if (decided is not null && string.Equals(name, TypeWord, StringComparison.Ordinal))
        {
            return decided;
        }

        string? given = ReadMember(name, member, payload);
        bool hasValue = given is not null && !table.IsUnavailable(given);
        string word = (hasValue ? given : decided ?? family?.Unavailable.GetValueOrDefault(name)) ?? throw new FormatException(
            given is null
                ? $"the payload has no {member}: the topic's word {name} cannot be derived"
                : $"the payload's {member} is '{given}': the topic's word {name} cannot be derived");
        if (table.IsLowerCase(name))
        {
            word = word.ToLowerInvariant();
        }

        if (family is not null && string.Equals(name, SatelliteWord, StringComparison.Ordinal))
        {
            word = family.NameSatellite(word);
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
