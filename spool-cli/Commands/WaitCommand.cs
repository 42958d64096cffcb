using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Commands;

/// <summary><c>wait</c>: returns when every server has the messages.</summary>
internal sealed class WaitCommand
{
    private const string Details =
        """
        Servers that are no longer configured are left out, unless nobody else has the message, or one of them still waits
        for it and a configured server has never been given it. Prints nothing when all is delivered; otherwise standard
        error says what is missing where. An ID may be shortened to any unique beginning.

        Examples:
          quickq-spool wait 0193a1f2 --timeout 1m
          id=$(quickq-spool add -t alarm 'fire') && quickq-spool wait "$id"

        Exit codes: 0 every server has them; 69 one was rejected, expired or cancelled; 75 not all delivered in time; 64 usage
        error; 65 not a spool; 66 no such spool or message; 74 input/output error; 77 no permission; 78 spool of a newer version.
        """;

    private readonly Option _timeout = Options.Value("--timeout", "DURATION", "stop waiting after this time (default: never)");
    private readonly Option _spool = Options.Spool();

    public static Subcommand Create()
    {
        var wait = new WaitCommand();
        var syntax = new Command("wait", "Wait until every server has the messages") { Arguments = "ID...", Options = { wait._timeout, wait._spool } };
        return new Subcommand(syntax, Details, wait.Run) { RunThroughService = wait.RunThroughService };
    }

    private ExitCode Run(ParsedArguments typed, StandardStreams streams)
    {
        var (ids, timeout) = Read(typed);
        var path = SpoolPath.Resolve(typed.ValueOf(_spool));
        using (var reader = SpoolReader.Open(path))
        {
            ids = [.. ids.Select(id => MessageIds.Resolve(reader, id)).Distinct(StringComparer.Ordinal)];
        }

        return new DeliveryWait(streams).Run(path, ids, timeout);
    }

    private ExitCode RunThroughService(ParsedArguments typed, ServedSpool spool, StandardStreams streams)
    {
        var (ids, timeout) = Read(typed);
        using var client = new SpoolClient(spool.Location);
        try
        {
            return new DeliveryWait(streams).Run(client, [.. ids.Distinct(StringComparer.Ordinal)], timeout);
        }
        catch (SpoolException unknown) when (unknown.Fault == SpoolFault.NotFound)
        {
            // Shortened, perhaps: the protocol knows whole ids, the command finds them.
            return spool.RunThere();
        }
    }

    private (IReadOnlyList<string> Ids, TimeSpan? Timeout) Read(ParsedArguments typed) =>
        (MessageIds.Required(typed.Arguments, "wait"), typed.ValueOf(_timeout) is { } text ? Values.Duration("--timeout", text) : null);
}
