using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.CommandLine;

/// <summary>One command of the program: what it accepts, what its help shows beyond that, and what runs it on a spool of one's own.</summary>
internal sealed record Subcommand(Command Syntax, string Details, Func<ParsedArguments, StandardStreams, ExitCode> Run)
{
    /// <summary>Speaks the protocol of the spool service itself. Null: the service runs the command.</summary>
    public Func<ParsedArguments, ServedSpool, StandardStreams, ExitCode>? RunThroughService { get; init; }

    /// <summary>The command is the service itself: no spool is chosen for it.</summary>
    public bool IsService { get; init; }

    /// <summary>The command stores messages: it reads standard input, or the file of <c>--file</c>, and makes the spool where there is none.</summary>
    public bool StoresMessages { get; init; }
}
