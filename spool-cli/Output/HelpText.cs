using Quickq.SpoolCli.CommandLine;

namespace Quickq.SpoolCli.Output;

/// <summary>The <c>--help</c> of the program and of each command.</summary>
internal static class HelpText
{
    public static void WriteProgram(TextWriter output, IEnumerable<Subcommand> commands)
    {
        output.Write(
            """
            quickq-spool: Send messages to RabbitMQ through a spool on this machine

            Usage: quickq-spool COMMAND [options] [arguments]

            Commands:

            """);
        foreach (var command in commands)
        {
            output.Write($"  {command.Syntax.Name,-8}  {command.Syntax.Description}\n");
        }

        output.Write(
            """

            Options:
              --help, -h    show this text; after a command, its options and examples
              --version     show the version
              --spool PATH  the spool to use
              --direct      open the spool file; only its owner may
              --service     use the spool service, also for a spool of your own

            Example:
              id=$(quickq-spool add -t geo.goes.g16 -x satellite '{"band":"8"}')
              quickq-spool status "$id"

            The spool is /var/lib/quickq/spool.db; QUICKQ_SPOOL or --spool PATH name another. The owner of a spool opens it
            directly, everybody else uses its service; QUICKQ_SOCKET names the socket of a service. Data goes to standard output,
            everything else to standard error. The exit codes are those of sysexits.h; each command's help lists its own.

            """);
    }

    public static void WriteCommand(TextWriter output, Subcommand command)
    {
        var syntax = command.Syntax;
        output.Write($"quickq-spool {syntax.Name}: {syntax.Description}\n\nUsage: quickq-spool {syntax.Name} [options]");
        if (syntax.Arguments is { } arguments)
        {
            output.Write($" {arguments}");
        }

        output.Write("\n\nOptions:\n");
        var options = syntax.Options.Select(option => (Left: Left(option), option.Description)).ToList();
        var width = options.Max(option => option.Left.Length);
        foreach (var (left, description) in options)
        {
            output.Write($"  {left.PadRight(width)}  {description}\n");
        }

        output.Write($"\n{command.Details}\n");
    }

    private static string Left(Option option)
    {
        var names = string.Join(", ", option.Names.OrderBy(name => name.Length));
        return option.Values switch
        {
            OptionValues.None => names,
            OptionValues.OneOrNone => $"{names}[={option.ValueName}]",
            _ => $"{names} {option.ValueName}",
        };
    }
}
