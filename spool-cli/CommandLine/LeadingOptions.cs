namespace Quickq.SpoolCli.CommandLine;

/// <summary>The options that say which spool is meant, and how: they may stand before the command too.</summary>
internal static class LeadingOptions
{
    /// <summary>The same command line with the command first.</summary>
    public static string[] MoveBehindCommand(string[] args)
    {
        var command = 0;
        while (command < args.Length && IsSpoolOption(args[command]))
        {
            command += args[command] is Options.SpoolName ? 2 : 1;
        }

        if (command > args.Length)
        {
            throw CommandException.WrongUse($"{Options.SpoolName} needs a value: {Options.SpoolName} PATH");
        }

        return command == args.Length || args[command] is "help" or "--help" or "-h" or "--version"
            ? args[command..]
            : [args[command], .. args[..command], .. args[(command + 1)..]];
    }

    private static bool IsSpoolOption(string token) =>
        token is Options.SpoolName or Options.DirectName or Options.ServiceName || token.StartsWith(Options.SpoolName + "=", StringComparison.Ordinal);
}
