using System.Text.Json;

namespace Quickq.Spool.Ssec;

/// <summary>The one table of topic words, <c>spool/Ssec/topics.json</c>; the Python package carries a copy that a test compares.</summary>
internal sealed class TopicTable
{
    private readonly JsonElement _root;

    private TopicTable(JsonElement root)
    {
        _root = root;
        Words = [.. root.GetProperty("words").EnumerateArray().Select(word => word.GetString()!)];
    }

    /// <summary>The table, read once.</summary>
    public static TopicTable Instance { get; } = Read();

    /// <summary>The names of the words, in their order.</summary>
    public IReadOnlyList<string> Words { get; }

    /// <summary>The known values of a word; others pass with a warning.</summary>
    public IReadOnlyList<string> Known(string word) => [.. _root.GetProperty("known").GetProperty(word).EnumerateArray().Select(value => value.GetString()!)];

    /// <summary>The member of the payload that a word is taken from.</summary>
    public string Member(string word) => _root.GetProperty("members").GetProperty(word).GetString()!;

    /// <summary>What the family says about a word, or null.</summary>
    public string? OfFamily(string family, string word) => Find("families", family, word);

    /// <summary>What is cut off at the front of a word of this family, or null.</summary>
    public string? Prefix(string family, string word) => Find("prefixes", family, word);

    /// <summary>The value that stands for <paramref name="value"/> in topics.</summary>
    public string Synonym(string word, string value) => Find("synonyms", word, value) ?? value;

    /// <summary>Whether the word is written in lower case whatever the payload has.</summary>
    public bool IsLowerCase(string word) => _root.GetProperty("lowerCase").EnumerateArray().Any(name => name.ValueEquals(word));

    private string? Find(string table, string outer, string inner) =>
        _root.GetProperty(table).TryGetProperty(outer, out JsonElement found) && found.TryGetProperty(inner, out JsonElement value) ? value.GetString() : null;

    private static TopicTable Read()
    {
        using Stream stream = typeof(TopicTable).Assembly.GetManifestResourceStream("topics.json")
            ?? throw new InvalidOperationException("the table of topics is not embedded");
        using JsonDocument document = JsonDocument.Parse(stream);
        return new TopicTable(document.RootElement.Clone());
    }
}
