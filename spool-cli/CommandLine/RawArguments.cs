using System.Text.Unicode;

namespace Quickq.SpoolCli.CommandLine;

/// <summary>Finds arguments that were not valid UTF-8 when they were typed.</summary>
/// <remarks>
/// The runtime decodes the command line before <c>Main</c> and puts U+FFFD where bytes were invalid: the message would be
/// stored altered. The bytes themselves are still to be had from the kernel, and are read only when that sign occurs.
/// </remarks>
internal static class RawArguments
{
    public static void RefuseInvalidUtf8(string[] args)
    {
        if (!Array.Exists(args, arg => arg.Contains('\uFFFD')))
        {
            return;
        }

        var raw = File.ReadAllBytes("/proc/self/cmdline");
        var invalid = FirstInvalid(raw, args.Length);
        if (invalid >= 0)
        {
            throw CommandException.BadData(
                $"argument {invalid + 1} ('{args[invalid]}') is not valid UTF-8",
                "give bytes that are not UTF-8 text through --file or standard input");
        }
    }

    /// <summary>The index, among the last <paramref name="count"/> arguments, of the first one that is not UTF-8; or -1.</summary>
    internal static int FirstInvalid(ReadOnlySpan<byte> commandLine, int count)
    {
        // Each argument ends with a zero byte, the last one too; what stands before ours names the program.
        var others = commandLine.Count((byte)0) - count;
        for (var index = -others; index < count; index++)
        {
            var end = commandLine.IndexOf((byte)0);
            if (index >= 0 && !Utf8.IsValid(commandLine[..end]))
            {
                return index;
            }

            commandLine = commandLine[(end + 1)..];
        }

        return -1;
    }
}
