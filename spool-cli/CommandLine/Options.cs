using System.CommandLine;

namespace Quickq.SpoolCli.CommandLine;

/// <summary>Makes options of the three shapes that the program knows; every value is read as text and judged by its verb.</summary>
internal static class Options
{
    public const string SpoolName = "--spool", DirectName = "--direct", ServiceName = "--service";

    public static Option<bool> Flag(string name, string description) =>
        new(name) { Arity = ArgumentArity.Zero, Description = description };

    public static Option<string?> Value(string name, string valueName, string description, params string[] aliases) =>
        new(name, aliases) { Arity = ArgumentArity.ExactlyOne, HelpName = valueName, Description = description };

    /// <summary>A value that may be left out, and is only taken after <c>=</c>.</summary>
    public static Option<string?> OptionalValue(string name, string valueName, string description) =>
        new(name) { Arity = ArgumentArity.ZeroOrOne, HelpName = valueName, Description = description };

    public static Option<string[]?> Repeated(string name, string valueName, string description, params string[] aliases) =>
        new(name, aliases) { Arity = ArgumentArity.OneOrMore, HelpName = valueName, Description = description };

    public static Option<string?> Spool() => Value(SpoolName, "PATH", "the spool to use (default: $QUICKQ_SPOOL, else /var/lib/quickq/spool.db)");

    /// <summary>Opens the spool file, or says who may.</summary>
    public static Option<bool> Direct() => Flag(DirectName, "open the spool file; only its owner may");

    /// <summary>Asks the spool service even where the spool is the caller's own.</summary>
    public static Option<bool> Service() => Flag(ServiceName, "use the spool service, also for a spool of your own");

    public static Option<bool> Json(string description) => Flag("--json", description);

    public static Option<bool> Help() => new("--help", "-h") { Arity = ArgumentArity.Zero, Description = "show this text" };
}
