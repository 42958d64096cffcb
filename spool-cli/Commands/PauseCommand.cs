using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Commands;

/// <summary><c>pause</c> and <c>resume</c>: stops and starts forwarding to one server, across restarts of the agent.</summary>
internal sealed class PauseCommand
{
    private readonly bool _pause;
    private readonly Option _spool = Options.Spool();

    private PauseCommand(bool pause) => _pause = pause;

    private string Name => _pause ? "pause" : "resume";

    public static Subcommand Create(bool pause)
    {
        var command = new PauseCommand(pause);
        var syntax = new Command(command.Name, pause ? "Stop forwarding to one server" : "Start forwarding to one server again") { Arguments = "SERVER", Options = { command._spool } };
        return new Subcommand(syntax, Details(command.Name), command.Run);
    }

    private static string Details(string name) =>
        $"""
        The backlog of a paused server grows; nothing is lost, and the other servers go on. It stays so when the agent restarts.

        Example:
          quickq-spool {name} mq1

        Exit codes: 0 done, also when it was so already; 64 usage error; 65 not a spool; 66 no such spool or server; 74 input/output error;
        75 locked too long; 77 no permission; 78 spool of a newer version.
        """;

    private ExitCode Run(ParsedArguments typed, StandardStreams streams)
    {
        if (typed.Arguments is not [var server])
        {
            throw CommandException.WrongUse($"{Name} needs the name of one server", $"quickq-spool {Name} SERVER; 'quickq-spool status' shows the names");
        }

        var path = SpoolPath.Resolve(typed.ValueOf(_spool));
        using (var reader = SpoolReader.Open(path))
        {
            ServerNames.Require(reader, server);
        }

        using var spool = SpoolAdmin.Open(path, Caller.Of(typed));
        spool.SetPaused(server, _pause);
        return ExitCode.Done;
    }
}
