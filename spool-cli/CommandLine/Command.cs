namespace Quickq.SpoolCli.CommandLine;

/// <summary>What a command accepts.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Description">What it does, for the list of commands.</param>
internal sealed record Command(string Name, string Description)
{
    /// <summary>Its options, in the order of its help.</summary>
    public List<Option> Options { get; } = [];

    /// <summary>What its help calls the arguments, such as <c>[ID...]</c>; null where it takes none.</summary>
    public string? Arguments { get; init; }
}

/// <summary>How many values an option has.</summary>
internal enum OptionValues
{
    /// <summary>None.</summary>
    None,

    /// <summary>One, in the same word behind <c>=</c> or in the next one.</summary>
    One,

    /// <summary>One behind <c>=</c>, or none.</summary>
    OneOrNone,

    /// <summary>As <see cref="One"/>, and the option may be repeated.</summary>
    Many,
}

/// <summary>An option of a command; every value is a string that the command judges.</summary>
/// <param name="Name">Its long name, with the dashes.</param>
/// <param name="Values">How many values it has.</param>
/// <param name="Description">A line for the help.</param>
internal sealed record Option(string Name, OptionValues Values, string Description)
{
    /// <summary>Its short name, or null.</summary>
    public string? Alias { get; init; }

    /// <summary>What the help calls its value.</summary>
    public string? ValueName { get; init; }

    /// <summary>All names of it.</summary>
    public IEnumerable<string> Names => Alias is null ? [Name] : [Alias, Name];
}
