using System.Text.Json;

namespace Quickq.Spool.Ssec;

/// <summary>The one table of topic words, <c>spool/Ssec/topics.json</c>; the Python package carries a copy that a test compares.</summary>
internal sealed class TopicTable
{
    private readonly Dictionary<string, string> _members;
    private readonly Dictionary<string, List<string>> _known;
    private readonly Dictionary<string, Dictionary<string, string>> _synonyms;
    private readonly HashSet<string> _lowerCase;
    private readonly HashSet<string> _unavailable;
    private readonly Dictionary<string, TopicFamily> _families = new(StringComparer.Ordinal);

    private TopicTable(JsonElement root)
    {
        Words = Texts(root.GetProperty("words"));
        _members = Pairs(root, "members");
        _known = Lists(root, "known");
        _synonyms = Tables(root, "synonyms");
        _lowerCase = [.. Texts(root.GetProperty("lowerCase"))];
        _unavailable = new HashSet<string>(Texts(root.GetProperty("unavailable")), StringComparer.OrdinalIgnoreCase);
        foreach (JsonProperty family in root.GetProperty("families").EnumerateObject())
        {
            _families[family.Name] = new TopicFamily(
                family.Name, Pairs(family.Value, "decides"), Tables(family.Value, "satellites"), Pairs(family.Value, "numbered"), Pairs(family.Value, "unavailable"), Lists(family.Value, "known"));
        }
    }

    /// <summary>The table, read once.</summary>
    public static TopicTable Instance { get; } = Read();

    /// <summary>The names of the words, in their order.</summary>
    public IReadOnlyList<string> Words { get; }

    /// <summary>The names of the families that the table knows.</summary>
    public IReadOnlyCollection<string> Families => _families.Keys;

    /// <summary>What is known of a family, or null.</summary>
    public TopicFamily? Family(string name) => _families.GetValueOrDefault(name);

    /// <summary>The known values of a word whatever the family, or null where it depends on the family.</summary>
    public IReadOnlyList<string>? Known(string word) => _known.GetValueOrDefault(word);

    /// <summary>The member of the payload that a word is taken from.</summary>
    public string Member(string word) => _members[word];

    /// <summary>The value that stands for <paramref name="value"/> in topics.</summary>
    public string Synonym(string word, string value) => _synonyms.GetValueOrDefault(word)?.GetValueOrDefault(value) ?? value;

    /// <summary>Whether the word is written in lower case whatever the payload has.</summary>
    public bool IsLowerCase(string word) => _lowerCase.Contains(word);

    /// <summary>Whether a member says that it has no value: <c>Not Available</c>.</summary>
    public bool IsUnavailable(string value) => _unavailable.Contains(value.Trim());

    private static TopicTable Read()
    {
        using Stream stream = typeof(TopicTable).Assembly.GetManifestResourceStream("topics.json")
            ?? throw new InvalidOperationException("the table of topics is not embedded");
        using JsonDocument document = JsonDocument.Parse(stream);
        return new TopicTable(document.RootElement);
    }

    private static List<string> Texts(JsonElement list) => [.. list.EnumerateArray().Select(text => text.GetString()!)];

    private static Dictionary<string, string> Pairs(JsonElement owner, string name) => Read(owner, name, value => value.GetString()!);

    private static Dictionary<string, List<string>> Lists(JsonElement owner, string name) => Read(owner, name, Texts);

    private static Dictionary<string, Dictionary<string, string>> Tables(JsonElement owner, string name) =>
        Read(owner, name, table => table.EnumerateObject().ToDictionary(pair => pair.Name, pair => pair.Value.GetString()!, StringComparer.Ordinal));

    /// <summary>An object of the table; empty where the owner has none of that name.</summary>
    private static Dictionary<string, T> Read<T>(JsonElement owner, string name, Func<JsonElement, T> read)
    {
        var found = new Dictionary<string, T>(StringComparer.Ordinal);
        if (owner.TryGetProperty(name, out JsonElement given))
        {
            foreach (JsonProperty member in given.EnumerateObject())
            {
                found[member.Name] = read(member.Value);
            }
        }

        return found;
    }
}
