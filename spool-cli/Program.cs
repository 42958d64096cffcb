using System.CommandLine;
using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Commands;
using Quickq.SpoolCli.Output;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli;

/// <summary>Finds the verb, reads the command line, runs the verb, and turns what went wrong into one line and a code.</summary>
/// <remarks>Only the verb that was typed is built: a producer pays for nothing else.</remarks>
internal static class Program
{
    private static readonly string[] VerbNames = ["add", "status", "list", "show", "wait", "retry", "hold", "release", "cancel", "replay", "pause", "resume", "purge", "export", "import"];

    public static int Main(string[] args)
    {
        var streams = StandardStreams.OfProcess();
        try
        {
            var code = Run(args, streams);
            streams.Output.Flush();
            return (int)code;
        }
        catch (CommandException exception)
        {
            FlushWhatThereIs(streams);
            return (int)ErrorReport.Print(exception, streams.Error);
        }
        catch (SpoolException exception)
        {
            FlushWhatThereIs(streams);
            return (int)ErrorReport.Print(exception, streams.Error);
        }
        catch (BrokenPipeException)
        {
            // 'list | head': the reader has what it wanted. Where ids would get lost, the verb itself says so.
            return (int)ExitCode.Done;
        }
        catch (IOException exception)
        {
            return (int)ErrorReport.Print(ExitCode.InputOutput, exception.Message, hint: null, streams.Error);
        }
    }

    private static ExitCode Run(string[] args, StandardStreams streams)
    {
        RawArguments.RefuseInvalidUtf8(args);
        switch (args)
        {
            case []:
                HelpText.WriteProgram(streams.Error, VerbNames.Select(name => CreateVerb(name)!));
                return ExitCode.WrongUse;
            case ["--help" or "-h" or "help"]:
                HelpText.WriteProgram(streams.Output, VerbNames.Select(name => CreateVerb(name)!));
                return ExitCode.Done;
            case ["help", var about]:
                return RunVerb(about, ["--help"], streams);
            case ["--version"]:
                streams.Output.Write($"quickq-spool {typeof(Program).Assembly.GetName().Version!.ToString(3)}\n");
                return ExitCode.Done;
            default:
                return RunVerb(args[0], args.AsSpan(1), streams);
        }
    }

    private static ExitCode RunVerb(string name, ReadOnlySpan<string> typed, StandardStreams streams)
    {
        var verb = CreateVerb(name) ?? throw Unknown(name);
        var help = Options.Help();
        verb.Syntax.Options.Add(help);
        if (StrictArguments.Read(verb.Syntax, help, typed) is not { } tokens)
        {
            HelpText.WriteVerb(streams.Output, verb, help);
            return ExitCode.Done;
        }

        var parsed = verb.Syntax.Parse(tokens, new ParserConfiguration { EnablePosixBundling = false, ResponseFileTokenReplacer = null });
        return parsed.Errors is [var error, ..]
            ? throw CommandException.WrongUse(error.Message, $"see quickq-spool {name} --help")
            : verb.Run(parsed, streams);
    }

    private static Verb? CreateVerb(string name) => name switch
    {
        "add" => AddCommand.Create(),
        "status" => StatusCommand.Create(),
        "list" => ListCommand.Create(),
        "show" => ShowCommand.Create(),
        "wait" => WaitCommand.Create(),
        "retry" => ChangeCommand.Create(OperatorAct.Retry),
        "hold" => ChangeCommand.Create(OperatorAct.Hold),
        "release" => ChangeCommand.Create(OperatorAct.Release),
        "cancel" => ChangeCommand.Create(OperatorAct.Cancel),
        "replay" => ReplayCommand.Create(),
        "pause" => PauseCommand.Create(pause: true),
        "resume" => PauseCommand.Create(pause: false),
        "purge" => PurgeCommand.Create(),
        "export" => ExportCommand.Create(),
        "import" => ImportCommand.Create(),
        _ => null,
    };

    private static CommandException Unknown(string name) => name.StartsWith('-')
        ? CommandException.WrongUse($"unknown option {name}", "a verb comes first: quickq-spool VERB [options]; see quickq-spool --help")
        : CommandException.WrongUse(
            $"unknown verb '{name}'",
            Spelling.Nearest(name, VerbNames) is { } guess ? $"did you mean {guess}?" : $"the verbs are {string.Join(", ", VerbNames)}");

    private static void FlushWhatThereIs(StandardStreams streams)
    {
        try
        {
            streams.Output.Flush();
        }
        catch (IOException)
        {
            // The error that follows is the one to tell.
        }
    }
}
