using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Commands;
using Quickq.SpoolCli.Output;
using Quickq.SpoolCli.Remote;
using Quickq.SpoolCli.Service;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli;

/// <summary>Finds the command, reads the command line, runs the command, and turns what went wrong into one line and a code.</summary>
/// <remarks>Only the command that was typed is built: a producer pays for nothing else.</remarks>
internal static class Program
{
    private static readonly string[] VerbNames = ["add", "status", "list", "show", "wait", "retry", "hold", "release", "cancel", "replay", "pause", "resume", "purge", "export", "import", "check", "upgrade", "serve"];

    public static int Main(string[] args)
    {
        var streams = StandardStreams.OfProcess();
        if (streams.IsServed && !ServiceProcess.EndWithService())
        {
            return (int)ExitCode.TryLater; // nobody waits for it any more
        }

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
            // 'list | head': the reader has what it wanted. Where ids would get lost, the command itself says so.
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
        args = streams.IsServed ? args : LeadingOptions.MoveBehindCommand(args);
        switch (args)
        {
            case []:
                HelpText.WriteProgram(streams.Error, VerbNames.Select(name => CreateCommand(name)!));
                return ExitCode.WrongUse;
            case ["--help" or "-h" or "help"]:
                HelpText.WriteProgram(streams.Output, VerbNames.Select(name => CreateCommand(name)!));
                return ExitCode.Done;
            case ["help", "--help" or "-h"]:
                return Run(["--help"], streams);
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
        var command = CreateCommand(name) ?? throw Unknown(name);
        if (!command.IsService)
        {
            command.Syntax.Options.Add(Options.Direct());
            command.Syntax.Options.Add(Options.Service());
        }

        var help = Options.Help();
        command.Syntax.Options.Add(help);
        if (ParsedArguments.Read(command.Syntax, help, typed) is not { } arguments)
        {
            HelpText.WriteCommand(streams.Output, command);
            return ExitCode.Done;
        }

        return RunWhereItFits(command, arguments, streams);
    }

    /// <summary>Opens the spool where it is the caller's own, else asks its service.</summary>
    private static ExitCode RunWhereItFits(Subcommand command, ParsedArguments typed, StandardStreams streams)
    {
        if (streams.IsServed)
        {
            return typed.FirstOf(Options.SpoolName, Options.DirectName, Options.ServiceName, "--socket") is { } chosen
                ? throw CommandException.WrongUse($"{chosen} does not go with a command that the spool service runs", "leave it out: the service has one spool")
                : command.Run(typed, streams);
        }

        if (command.IsService || Locate(command, typed) is not { IsDirect: false } service)
        {
            return command.Run(typed, streams);
        }

        ExitCode RunThere() => RemoteCommand.Run(service, command, typed, streams);
        return command.RunThroughService is { } run ? run(typed, new ServedSpool(service, RunThere), streams) : RunThere();
    }

    private static SpoolLocation Locate(Subcommand command, ParsedArguments typed)
    {
        var (direct, service) = (typed.Has(Options.DirectName), typed.Has(Options.ServiceName));
        return direct && service
            ? throw CommandException.WrongUse($"both {Options.DirectName} and {Options.ServiceName} are given", "give one of them")
            : new SpoolLocator().Locate(
                direct ? SpoolAccess.Direct : service ? SpoolAccess.Service : SpoolAccess.Automatic, typed.ValueOf(Options.SpoolName), command.StoresMessages);
    }

    private static Subcommand? CreateCommand(string name) => name switch
    {
        "add" => AddCommand.Create(),
        "status" => StatusCommand.Create(),
        "list" => ListCommand.Create(),
        "show" => ShowCommand.Create(),
        "wait" => WaitCommand.Create(),
        "retry" => ChangeCommand.Create(AdminOperation.Retry),
        "hold" => ChangeCommand.Create(AdminOperation.Hold),
        "release" => ChangeCommand.Create(AdminOperation.Release),
        "cancel" => ChangeCommand.Create(AdminOperation.Cancel),
        "replay" => ReplayCommand.Create(),
        "pause" => PauseCommand.Create(pause: true),
        "resume" => PauseCommand.Create(pause: false),
        "purge" => PurgeCommand.Create(),
        "export" => ExportCommand.Create(),
        "import" => ImportCommand.Create(),
        "check" => CheckCommand.Create(),
        "upgrade" => UpgradeCommand.Create(),
        "serve" => ServeCommand.Create(),
        _ => null,
    };

    private static CommandException Unknown(string name) => name.StartsWith('-')
        ? CommandException.WrongUse($"unknown option {name}", "the command comes first: quickq-spool COMMAND [options]; see quickq-spool --help")
        : CommandException.WrongUse(
            $"unknown command '{name}'",
            Spelling.Nearest(name, VerbNames) is { } guess ? $"did you mean {guess}?" : "quickq-spool --help lists the commands");

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
