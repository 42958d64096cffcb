using System.Buffers;
using Quickq.SpoolCli.CommandLine;

namespace Quickq.SpoolCli.Intake;

/// <summary>Cuts a stream of bytes into lines that end with <c>\n</c> or <c>\r\n</c>; remembers the unfinished rest.</summary>
internal sealed class LineSplitter
{
    private readonly ArrayBufferWriter<byte> _unfinished = new();

    /// <summary>How many lines, empty ones included, have been taken.</summary>
    public long LineNumber { get; private set; }

    public bool HasUnfinishedLine => _unfinished.WrittenCount > 0;

    /// <summary>What ended the line that was taken last: <c>\n</c>, <c>\r\n</c>, or nothing where the input ended.</summary>
    public string LastEnding { get; private set; } = "";

    /// <summary>Takes the next finished line off <paramref name="bytes"/>; false when the rest is unfinished, and kept.</summary>
    public bool TryTake(ref ReadOnlySpan<byte> bytes, out ReadOnlyMemory<byte> line)
    {
        var end = bytes.IndexOf((byte)'\n');
        _unfinished.Write(end < 0 ? bytes : bytes[..end]);
        bytes = end < 0 ? [] : bytes[(end + 1)..];
        if (_unfinished.WrittenCount > PayloadInput.MaxBytes)
        {
            LineNumber++;
            throw CommandException.BadData("the line is longer than 512 MiB", "no RabbitMQ server takes such a message; is the input really lines?");
        }

        line = end < 0 ? default : _unfinished.WrittenSpan is [.. var content, (byte)'\r'] ? Take(content, "\r\n") : Take(_unfinished.WrittenSpan, "\n");
        return end >= 0;
    }

    /// <summary>The last line of the input, which lacks its end; a carriage return there is content.</summary>
    public ReadOnlyMemory<byte> TakeUnfinished() => Take(_unfinished.WrittenSpan, "");

    private byte[] Take(ReadOnlySpan<byte> content, string ending)
    {
        LineNumber++;
        LastEnding = ending;
        var line = content.ToArray();
        _unfinished.ResetWrittenCount();
        return line;
    }
}
