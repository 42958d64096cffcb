using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Configuration;
using Quickq.Spool;

namespace Quickq.Agent.Settings;

/// <summary>
/// One object of the configuration while it is read. Each question names a setting and says what is right for it; a wrong
/// value is noted and the default returned, so that reading goes on to the next error. What was never asked for is unknown.
/// </summary>
internal sealed class SettingsSection
{
    private readonly SettingSource _origin;
    private readonly ConfigErrors _errors;
    private readonly Dictionary<string, IConfigurationSection> _given;
    private readonly List<string> _known = [];

    public SettingsSection(IConfiguration values, string path, SettingSource origin, ConfigErrors errors)
    {
        Path = path;
        _origin = origin;
        _errors = errors;
        _given = values.GetChildren().ToDictionary(child => child.Key, StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>With dots, as errors name it; empty at the top.</summary>
    public string Path { get; }

    /// <summary>A wrong value, to be shown; not one that may hold a password, such as an address in the wrong place.</summary>
    public static string Quote(string? value) => value?.Contains('@', StringComparison.Ordinal) == true ? "the value (hidden: it may contain a password)" : $"'{value}'";

    public IEnumerable<string> GivenNames => _given.Keys;

    public bool Has(string name) => Known(name) is not null;

    public void Error(string name, string whatIsWrong) =>
        _errors.Add(PathOf(name), whatIsWrong + (_given.TryGetValue(name, out var given) ? _origin.Suffix(given.Path) : ""));

    /// <summary>A text, or null when it is not given.</summary>
    public string? Text(string name)
    {
        var given = Known(name);
        return given is not null && Scalar(name, given, "a string in double quotes", JsonTokenType.String) ? given.Value ?? "" : null;
    }

    public int Number(string name, int otherwise, int least, int most)
    {
        var given = Known(name);
        if (given is null || !Scalar(name, given, "a number", JsonTokenType.Number, JsonTokenType.String))
        {
            return otherwise;
        }

        if (int.TryParse(given.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most)
        {
            return number;
        }

        Error(name, string.Create(CultureInfo.InvariantCulture, $"{Quote(given.Value)} is not a whole number from {least} to {most}"));
        return otherwise;
    }

    public long? Size(string name, long least, long most)
    {
        var given = Known(name);
        if (given is null || !Scalar(name, given, $"a size such as {ByteSize.Examples}", JsonTokenType.Number, JsonTokenType.String))
        {
            return null;
        }

        if (!ByteSize.TryParse(given.Value, out var bytes))
        {
            Error(name, $"{Quote(given.Value)} is not a size; write for example {ByteSize.Examples}");
            return null;
        }

        if (bytes >= least && bytes <= most)
        {
            return bytes;
        }

        Error(name, $"{Quote(given.Value)} is out of range; take {ByteSize.Format(least)} to {ByteSize.Format(most)}");
        return null;
    }

    public TimeSpan Time(string name, TimeSpan otherwise, TimeSpan least, TimeSpan most)
    {
        var given = Known(name);
        if (given is null || !Scalar(name, given, $"a duration such as {Duration.Examples}", JsonTokenType.String, JsonTokenType.Number))
        {
            return otherwise;
        }

        if (!Duration.TryParse(given.Value, out var time))
        {
            Error(name, $"{Quote(given.Value)} is not a duration; write for example {Duration.Examples}");
            return otherwise;
        }

        if (time >= least && time <= most)
        {
            return time;
        }

        Error(name, $"{Quote(given.Value)} is out of range; take {Duration.Format(least)} to {Duration.Format(most)}");
        return otherwise;
    }

    /// <summary>The texts of a list; with <paramref name="takesOne"/> a single text counts as a list of one. Null when it is not given or wrong.</summary>
    public IReadOnlyList<string>? Texts(string name, bool takesOne = true)
    {
        var given = Known(name);
        if (given is null)
        {
            return null;
        }

        var items = given.GetChildren().ToList();
        if (items.Count == 0)
        {
            if (!takesOne && _origin.KindOf(given) != JsonTokenType.StartArray)
            {
                Error(name, "must be a list of strings, such as [\"satellite\", \"himawari\"]");
                return null;
            }

            return _origin.KindOf(given) == JsonTokenType.StartArray ? [] : Scalar(name, given, "a list of strings", JsonTokenType.String) ? [given.Value ?? ""] : null;
        }

        if (items.TrueForAll(item => _origin.KindOf(item) == JsonTokenType.String && int.TryParse(item.Key, NumberStyles.None, CultureInfo.InvariantCulture, out _)))
        {
            return items.ConvertAll(item => item.Value ?? "");
        }

        Error(name, "must be a list of strings, such as [\"one\", \"two:5673\"]");
        return null;
    }

    /// <summary>An object within this one, or null when it is not given or no object.</summary>
    public SettingsSection? Section(string name)
    {
        var given = Known(name);
        if (given is null)
        {
            return null;
        }

        if (_origin.KindOf(given) is JsonTokenType.StartObject)
        {
            return new SettingsSection(given, PathOf(name), _origin, _errors);
        }

        Error(name, $"must be an object in braces, not {Words(_origin.KindOf(given))}");
        return null;
    }

    /// <summary>To be called last: notes every setting that nobody asked for.</summary>
    public void NoteUnknown()
    {
        foreach (var name in _given.Keys.Where(name => !_known.Contains(name, StringComparer.OrdinalIgnoreCase)))
        {
            var nearest = Spelling.Nearest(name, _known);
            Error(name, nearest is null
                ? $"unknown setting; known here: {string.Join(", ", _known.Order(StringComparer.Ordinal))}"
                : $"unknown setting; did you mean '{nearest}'?");
        }
    }

    private IConfigurationSection? Known(string name)
    {
        if (!_known.Contains(name, StringComparer.Ordinal))
        {
            _known.Add(name);
        }

        return _given.GetValueOrDefault(name);
    }

    private bool Scalar(string name, IConfigurationSection given, string expected, params ReadOnlySpan<JsonTokenType> kinds)
    {
        var kind = _origin.KindOf(given);
        if (kinds.Contains(kind))
        {
            return true;
        }

        Error(name, $"must be {expected}, not {Words(kind)}");
        return false;
    }

    private string PathOf(string name) => Path.Length == 0 ? name : $"{Path}.{name}";

    private static string Words(JsonTokenType kind) => kind switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "a list",
        JsonTokenType.Number => "a number",
        JsonTokenType.True or JsonTokenType.False => "true or false",
        JsonTokenType.Null => "null (leave it out for the default)",
        _ => "text",
    };
}
