namespace Quickq.SpoolCli.CommandLine;

/// <summary>Makes the options of the shapes that the program knows, and those that many commands have.</summary>
internal static class Options
{
    public const string SpoolName = "--spool", DirectName = "--direct", ServiceName = "--service";

    public static Option Flag(string name, string description, string? alias = null) => new(name, OptionValues.None, description) { Alias = alias };

    public static Option Value(string name, string valueName, string description, string? alias = null) =>
        new(name, OptionValues.One, description) { Alias = alias, ValueName = valueName };

    public static Option OptionalValue(string name, string valueName, string description) => new(name, OptionValues.OneOrNone, description) { ValueName = valueName };

    public static Option Repeated(string name, string valueName, string description, string? alias = null) =>
        new(name, OptionValues.Many, description) { Alias = alias, ValueName = valueName };

    public static Option Spool() => Value(SpoolName, "PATH", "the spool to use (default: $QUICKQ_SPOOL, else /var/lib/quickq/spool.db)");

    /// <summary>Opens the spool file, or says who may.</summary>
    public static Option Direct() => Flag(DirectName, "open the spool file; only its owner may");

    /// <summary>Asks the spool service even where the spool is the caller's own.</summary>
    public static Option Service() => Flag(ServiceName, "use the spool service, also for a spool of your own");

    public static Option Json(string description) => Flag("--json", description);

    public static Option Help() => Flag("--help", "show this text", "-h");
}
