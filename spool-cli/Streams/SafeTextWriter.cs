using Quickq.Spool;

namespace Quickq.SpoolCli.Streams;

/// <summary>Standard error: each line passes <see cref="SafeText"/>, so that nobody who writes one has to remember to.</summary>
internal sealed class SafeTextWriter : StreamWriter
{
    public SafeTextWriter(Stream output)
        : base(output, StandardStreams.Utf8, bufferSize: 256)
    {
        AutoFlush = true;
        NewLine = "\n";
    }

    /// <summary>Writes text of the program's own that may have several lines.</summary>
    public override void Write(string? value) => base.Write(value is null ? null : SafeText.Lines(value));

    /// <summary>Writes one line, whatever is in it.</summary>
    public override void WriteLine(string? value) => base.WriteLine(value is null ? null : SafeText.OneLine(value));
}
