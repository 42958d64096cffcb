using System.Runtime.InteropServices;
using Quickq.Spool;
using Quickq.Spool.Files;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Intake;

/// <summary>Opens the file that <c>--skip-invalid</c> names: lines are appended, and a new file belongs to the caller alone, since it holds messages.</summary>
internal static class SkippedLinesFile
{
    /// <summary>The value with which a client of the spool service says that it has opened the file itself.</summary>
    public const string OfClient = "-";

    private const int StandardOutput = 1;
    private const int WriteOnly = 1, Create = 0x40, Append = 0x400, CloseOnExec = 0x80000, OwnerOnly = 0b110_000_000;
    private const int NotPermitted = 1, AccessDenied = 13;

    /// <param name="path">The value of the option.</param>
    /// <param name="input">Where the lines come from: it must be another file.</param>
    /// <param name="spoolPath">Where the messages go: it must be another file.</param>
    /// <param name="streams">The streams of the program.</param>
    public static Descriptor Open(string path, Descriptor input, string spoolPath, StandardStreams streams)
    {
        if (streams.IsServed)
        {
            return path is OfClient && streams.ClientFile is { } client ? client
                : throw CommandException.WrongUse("the spool service opens no file that a client names", "leave the file out of --skip-invalid");
        }

        if (path is "" or OfClient)
        {
            throw CommandException.WrongUse($"--skip-invalid='{path}' names no file", "give a path: --skip-invalid=skipped.ndjson, or ./- for a file of that name");
        }

        string resolved = SpoolPath.FollowLinks(spoolPath);
        if (SpoolOwnership.IsFileOf(resolved, SpoolPath.FollowLinks(path)) || SpoolOwnership.FilesOf(resolved).Any(file => IsSame(path, file)))
        {
            throw CommandException.WrongUse($"{path} belongs to the spool", "keep the skipped lines in another file");
        }

        var number = Native.OpenNew(path, WriteOnly | Create | Append | CloseOnExec, OwnerOnly);
        if (number < 0)
        {
            throw CannotOpen(path, Marshal.GetLastPInvokeError());
        }

        var file = new Descriptor(number, path);
        var status = FileStatus.OfDescriptor(number);
        if (status is { IsRegularFile: true } regular)
        {
            if (FileIdentity.OfDescriptor(input.Number) == regular.Identity)
            {
                throw CommandException.WrongUse($"{path} is the input itself", "keep the skipped lines in another file");
            }

            if (FileIdentity.OfDescriptor(StandardOutput) == regular.Identity)
            {
                throw CommandException.WrongUse($"{path} is standard output, where the ids go", "keep the skipped lines in another file");
            }

            EndLastLine(file, path, regular.Size);
        }

        return file;
    }

    /// <summary>Whether both name one file, there or not.</summary>
    private static bool IsSame(string path, string other) => string.Equals(Path.GetFullPath(path), Path.GetFullPath(other), StringComparison.Ordinal)
        || (FileStatus.Find(path, out _) is { } one && FileStatus.Find(other, out _) is { } two && one.Identity == two.Identity);

    /// <summary>An input may lack the end of its last line, and that line may have been kept: the next one must not be joined to it.</summary>
    private static void EndLastLine(Descriptor file, string path, long size)
    {
        // What is there need not be readable.
        if (size > 0 && Native.Open(path, CloseOnExec) is >= 0 and var number)
        {
            Span<byte> last = stackalloc byte[1];
            var isOpen = new Descriptor(number, path).ReadAt(last, size - 1) == 1 && last[0] != (byte)'\n';
            _ = Native.Close(number);
            if (isOpen)
            {
                file.Write("\n"u8);
            }
        }
    }

    private static CommandException CannotOpen(string path, int error)
    {
        var reason = $"cannot open {path}: {Marshal.GetPInvokeErrorMessage(error)}";
        return error is AccessDenied or NotPermitted ? new CommandException(ExitCode.NoPermission, reason, "name a file that you may write")
            : new CommandException(ExitCode.CannotCreate, reason, "name a file in a folder that exists");
    }
}
