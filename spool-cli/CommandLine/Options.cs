using System.CommandLine;

namespace Quickq.SpoolCli.CommandLine;

/// <summary>Makes options of the three shapes that the program knows; every value is read as text and judged by its verb.</summary>
internal static class Options
{
    public static Option<bool> Flag(string name, string description) =>
        new(name) { Arity = ArgumentArity.Zero, Description = description };

    public static Option<string?> Value(string name, string valueName, string description, params string[] aliases) =>
        new(name, aliases) { Arity = ArgumentArity.ExactlyOne, HelpName = valueName, Description = description };

    /// <summary>A value that may be left out, and is only taken after <c>=</c>.</summary>
    public static Option<string?> OptionalValue(string name, string valueName, string description) =>
        new(name) { Arity = ArgumentArity.ZeroOrOne, HelpName = valueName, Description = description };

    public static Option<string[]?> Repeated(string name, string valueName, string description, params string[] aliases) =>
        new(name, aliases) { Arity = ArgumentArity.OneOrMore, HelpName = valueName, Description = description };

    public static Option<string?> Spool() => Value("--spool", "PATH", "the spool to use (default: $QUICKQ_SPOOL, else /var/lib/quickq/spool.db)");

    public static Option<bool> Json(string description) => Flag("--json", description);

    public static Option<bool> Help() => new("--help", "-h") { Arity = ArgumentArity.Zero, Description = "show this text" };
}
