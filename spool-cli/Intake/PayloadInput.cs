using System.Buffers;
using System.Runtime.InteropServices;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Intake;

/// <summary>Opens and reads what <c>--file</c> names, or standard input.</summary>
internal static class PayloadInput
{
    /// <summary>RabbitMQ takes no body over 512 MiB whatever its settings: more is not worth reading.</summary>
    public const int MaxBytes = 512 * 1024 * 1024;

    private const int CloseOnExec = 0x80000, NoSuchFile = 2, NotPermitted = 1, AccessDenied = 13, NotAFolder = 20;

    public static Descriptor Open(string? file, StandardStreams streams)
    {
        if (file is "-" or "/dev/stdin")
        {
            return streams.Input;
        }

        if (file is null)
        {
            if (streams.InputIsTerminal)
            {
                streams.Error.WriteLine("quickq-spool: reading from the terminal; end with Ctrl-D, or cancel with Ctrl-C");
            }

            return streams.Input;
        }

        if (streams.IsServed)
        {
            throw CommandException.WrongUse("the spool service opens no file that a client names", "open it yourself, and send its bytes as standard input: --file -");
        }

        if (Directory.Exists(file))
        {
            throw CommandException.NoInput($"--file {file} is a folder", "name a file");
        }

        var number = Native.Open(file, CloseOnExec);
        return number >= 0 ? new Descriptor(number, file) : throw CannotOpen(file, Marshal.GetLastPInvokeError());
    }

    /// <summary>Everything up to the end.</summary>
    public static ReadOnlyMemory<byte> ReadToEnd(Descriptor input, int maxBytes = MaxBytes)
    {
        var all = new ArrayBufferWriter<byte>(16 * 1024);
        while (input.Read(all.GetSpan(16 * 1024)) is > 0 and var count)
        {
            all.Advance(count);
            if (all.WrittenCount > maxBytes)
            {
                throw CommandException.BadData(
                    $"{input.Name} is larger than {maxBytes / 1024 / 1024} MiB",
                    maxBytes == MaxBytes ? "too large for RabbitMQ; send its path instead" : "too large for the spool service; send its path instead");
            }
        }

        return all.WrittenMemory;
    }

    private static CommandException CannotOpen(string file, int error)
    {
        var reason = $"cannot open {file}: {Marshal.GetPInvokeErrorMessage(error)}";
        return error switch
        {
            NoSuchFile or NotAFolder => CommandException.NoInput(reason, "check the name"),
            AccessDenied or NotPermitted => new CommandException(ExitCode.NoPermission, reason, "ask its owner, or feed it through standard input"),
            _ => new CommandException(ExitCode.InputOutput, reason),
        };
    }
}
