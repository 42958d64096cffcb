using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Commands;

/// <summary><c>upgrade</c>: raises the format of the spool to that of this program.</summary>
internal sealed class UpgradeCommand
{
    private const string Details =
        """
        Raises the format of a spool that an older version made. The agent and the spool service do so by themselves when they
        start; this command does it at a time of your choice. It takes less than a second, whatever is in the spool, and
        happens whole or not at all. Producers of the older version go on adding.

        There is no way back in place: 'quickq-spool export' writes all messages, and 'import' of the older version reads them
        into a new spool.

        Example:
          quickq-spool upgrade

        Exit codes: 0 done, also when the format is current; 64 usage error; 65 not a spool; 66 no such spool; 74 input/output error or
        a damaged spool; 75 locked too long, disk full; 77 no permission; 78 spool of a newer version.
        """;

    private readonly Option _spool = Options.Spool();

    public static Subcommand Create()
    {
        var upgrade = new UpgradeCommand();
        return new Subcommand(new Command("upgrade", "Raise the format of the spool to this version's") { Options = { upgrade._spool } }, Details, upgrade.Run);
    }

    private ExitCode Run(ParsedArguments typed, StandardStreams streams)
    {
        var path = SpoolPath.Resolve(typed.ValueOf(_spool));
        var (before, now) = SpoolUpgrade.Run(path);
        if (before < now)
        {
            using var spool = SpoolAdmin.Open(path, Caller.Of(typed));
            spool.Record("upgrade", 1);
        }

        streams.Output.Write(before == now ? FormattableString.Invariant($"the spool has format {now} already\n") : FormattableString.Invariant($"format {before} raised to {now}\n"));
        return ExitCode.Done;
    }
}
