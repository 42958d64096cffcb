using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Output;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Commands;

/// <summary><c>show</c>: everything about one message, or its body byte for byte.</summary>
internal sealed class ShowCommand
{
    private const string Details =
        """
        An ID may be shortened to any unique beginning.

        Examples:
          quickq-spool show 0193a1f2
          quickq-spool show 0193a1f2 --body > event.json

        Exit codes: 0 done; 64 usage error; 65 not a spool; 66 no such spool or message; 74 input/output error; 77 no permission;
        78 spool of a newer version.
        """;

    private readonly Option _body = Options.Flag("--body", "write only the body, byte for byte");
    private readonly Option _json = Options.Json("for programs: one JSON object (docs/cli.md)");
    private readonly Option _spool = Options.Spool();

    public static Subcommand Create()
    {
        var show = new ShowCommand();
        var syntax = new Command("show", "Show everything about one message") { Arguments = "ID", Options = { show._body, show._json, show._spool } };
        return new Subcommand(syntax, Details, show.Run);
    }

    private ExitCode Run(ParsedArguments typed, StandardStreams streams)
    {
        var ids = MessageIds.Required(typed.Arguments, "show");
        if (ids.Count > 1 || (typed.Has(_body) && typed.Has(_json)))
        {
            throw CommandException.WrongUse(
                ids.Count > 1 ? "show takes one ID" : "--body and --json do not go together",
                ids.Count > 1 ? "'quickq-spool status ID...' takes several" : "give one of them");
        }

        using var reader = SpoolReader.Open(SpoolPath.Resolve(typed.ValueOf(_spool)));
        var message = reader.ReadMessage(MessageIds.Resolve(reader, ids[0])) ?? throw CommandException.NoInput($"there is no message '{ids[0]}' in the spool");
        if (typed.Has(_body))
        {
            streams.RawOutput.Write(message.Body);
        }
        else if (typed.Has(_json))
        {
            Json.WriteLine(streams.Output, StoredMessageJson.From(message));
        }
        else
        {
            new MessageText(streams.Output, AnsiColors.For(streams.OutputIsTerminal), streams.Clock.GetUtcNow()).WriteMessage(message);
        }

        return ExitCode.Done;
    }
}
