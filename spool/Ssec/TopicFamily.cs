namespace Quickq.Spool.Ssec;

/// <summary>What the table of topics knows of one family of satellites.</summary>
/// <param name="Name">The family's word.</param>
/// <param name="Decided">The words that the family decides.</param>
/// <param name="BySatellite">The words that only the satellite decides, by the beginning of its word.</param>
/// <param name="Numbered">What is written for a satellite's name before its number: <c>himawari-</c> is left out.</param>
/// <param name="Unavailable">The words for members that say that they have no value.</param>
/// <param name="Known">The known values of the words that depend on the family.</param>
internal sealed record TopicFamily(
    string Name,
    IReadOnlyDictionary<string, string> Decided,
    IReadOnlyDictionary<string, Dictionary<string, string>> BySatellite,
    IReadOnlyDictionary<string, string> Numbered,
    IReadOnlyDictionary<string, string> Unavailable,
    IReadOnlyDictionary<string, List<string>> Known)
{
    /// <summary>What family and satellite say about a word, or null.</summary>
    public string? Decide(string word, string satellite)
    {
        foreach ((string beginning, Dictionary<string, string> decided) in BySatellite)
        {
            if (satellite.StartsWith(beginning, StringComparison.Ordinal) && decided.TryGetValue(word, out string? value))
            {
                return value;
            }
        }

        return Decided.GetValueOrDefault(word);
    }

    /// <summary>A satellite's name as its word: <c>himawari-9</c> and <c>h09</c> are <c>9</c>.</summary>
    public string NameSatellite(string satellite)
    {
        foreach ((string before, string instead) in Numbered)
        {
            if (satellite.StartsWith(before, StringComparison.Ordinal) && satellite.Length > before.Length
                && satellite.AsSpan(before.Length).IndexOfAnyExceptInRange('0', '9') < 0)
            {
                return instead + (satellite[before.Length..].TrimStart('0') is { Length: > 0 } number ? number : "0");
            }
        }

        return satellite;
    }
}
