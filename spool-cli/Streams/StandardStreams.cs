using System.Text;

namespace Quickq.SpoolCli.Streams;

/// <summary>What a command reads from and writes to: data to <see cref="Output"/>, everything else to <see cref="Error"/>.</summary>
/// <remarks>
/// Not the Console class: its stream swallows a broken pipe, so that ids would get lost without a word.
/// </remarks>
internal sealed class StandardStreams
{
    public static readonly Encoding Utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);

    /// <summary>Standard input, as it may be waited for.</summary>
    public required Descriptor Input { get; init; }

    public required bool InputIsTerminal { get; init; }

    /// <summary>Text to standard output; buffered, flushed at the end of the program or by the command.</summary>
    public required TextWriter Output { get; init; }

    /// <summary>Bytes to standard output, unbuffered.</summary>
    public required Stream RawOutput { get; init; }

    public required bool OutputIsTerminal { get; init; }

    /// <summary>Lines for a person; each passes <see cref="Quickq.Spool.SafeText"/>.</summary>
    public required TextWriter Error { get; init; }

    /// <summary>Standard output and standard error as they may be waited for.</summary>
    public required Descriptor OutputDescriptor { get; init; }

    public required Descriptor ErrorDescriptor { get; init; }

    public required bool ErrorIsTerminal { get; init; }

    /// <summary>Set when the spool service runs this program for somebody else: it opens no path that was typed.</summary>
    public required bool IsServed { get; init; }

    /// <summary>Where a client of the spool service takes the bytes of a file that it has opened itself; null where it has none.</summary>
    public Descriptor? ClientFile { get; init; }

    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>The line that a person types as an answer; empty at the end of input.</summary>
    public string ReadAnswer()
    {
        // A terminal hands over a line at a time.
        Span<byte> line = stackalloc byte[256];
        return Utf8.GetString(line[..Input.Read(line)]).Trim();
    }

    public static StandardStreams OfProcess()
    {
        Descriptor.FillClosedStandardOnes();
        var (output, error) = (new Descriptor(1, "standard output"), new Descriptor(2, "standard error"));
        var served = ServedCaller.OfProcess();
        bool IsTerminal(int number) => served?.IsTerminal(number) ?? Native.IsTerminal(number) == 1;
        return new StandardStreams
        {
            Input = new Descriptor(0, "standard input") { EndsByShutdown = served is not null },
            InputIsTerminal = IsTerminal(0),
            RawOutput = new DescriptorStream(output),
            Output = new StreamWriter(new DescriptorStream(output), Utf8, bufferSize: 4096),
            OutputIsTerminal = IsTerminal(1),
            Error = new SafeTextWriter(new DescriptorStream(error)),
            OutputDescriptor = output,
            ErrorDescriptor = error,
            ErrorIsTerminal = IsTerminal(2),
            IsServed = served is not null,
            ClientFile = served is { FileName.Length: > 0 } ? new Descriptor(ServedCaller.FileStream, served.FileName) : null,
        };
    }
}
