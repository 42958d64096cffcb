using System.Globalization;
using Quickq.Spool;
using Quickq.Spool.Service;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Intake;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Remote;

/// <summary>Lets the spool service run a command as the owner of the spool, with the caller's streams and signals.</summary>
/// <remarks>
/// Usage errors were found before: what is sent is a whole command. The path of <c>--file</c> is opened here, with the caller's rights, and streamed.
/// Input is only read for a command that reads some: in a loop over lines the others must not take the loop's.
/// </remarks>
internal static class RemoteCommand
{
    private const string FileOption = "--file", YesOption = "--yes";

    /// <summary>What the client decides itself; the service refuses it.</summary>
    private static readonly string[] OwnOptions = [Options.SpoolName, Options.DirectName, Options.ServiceName];

    private static readonly TimeSpan GreetingLimit = TimeSpan.FromSeconds(40);

    public static ExitCode Run(SpoolLocation service, Subcommand command, ParsedArguments typed, StandardStreams streams)
    {
        string? file = typed.ValueOf(FileOption);
        Descriptor? input = command.StoresMessages ? PayloadInput.Open(file, streams)
            : streams.InputIsTerminal && command.Syntax.Options.Any(option => option.Name is YesOption) && !typed.Has(YesOption) ? streams.Input
            : null;
        string[] arguments = typed.Without(file is null ? OwnOptions : [.. OwnOptions, FileOption]);
        using var stop = new StopSignal();
        try
        {
            using ServiceConnection connection = ServiceConnection.Open(service);
            connection.Send(Request(arguments, file, streams), new Deadline(GreetingLimit));
            var relay = new StreamRelay(connection, input, stop, streams);
            int code = relay.Run(GreetingLimit);
            if (stop.IsRaised && code == 128 + stop.Number)
            {
                // Ended by the signal there: end by it here too, so that a shell's loop stops.
                stop.Dispose();
                _ = Native.Raise(stop.Number);
            }

            return (ExitCode)code;
        }
        catch (ServiceRefusedException refused)
        {
            throw new CommandException((ExitCode)refused.Code, refused.Message, refused.Hint);
        }
        catch (ServiceLostException lost)
        {
            throw new CommandException(
                ExitCode.TryLater, $"{command.Syntax.Name}: {lost.Message}; the command may have been carried out in part", "run it again");
        }
    }

    private static byte[] Request(string[] arguments, string? file, StandardStreams streams)
    {
        // The command's name comes first, the options behind it: a file is the command's standard input there.
        string[] there = file is null ? arguments : [arguments[0], $"{FileOption}=-", .. arguments[1..]];
        var environment = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string name in (ReadOnlySpan<string>)["COLUMNS", "TERM", "NO_COLOR"])
        {
            if (Environment.GetEnvironmentVariable(name) is { } value)
            {
                environment[name] = value;
            }
        }

        if (streams.OutputIsTerminal && Native.TerminalWidth(streams.OutputDescriptor.Number) is > 0 and var width)
        {
            environment.TryAdd("COLUMNS", width.ToString(CultureInfo.InvariantCulture));
        }

        var request = new RunRequest(there, environment, [file is null && streams.InputIsTerminal, streams.OutputIsTerminal, streams.ErrorIsTerminal]);
        return Frame.Encode(FrameKind.Run, System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(request, ProtocolContext.Default.RunRequest));
    }
}
