using System.Globalization;
using System.Text;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Intake;

/// <summary>The lines that could not be stored and were passed by: each is named with its number and why, counted, and kept where a file is given.</summary>
/// <param name="file">Where they are kept byte for byte, or null.</param>
/// <param name="errors">Where they are named.</param>
internal sealed class SkippedLines(Descriptor? file, TextWriter errors)
{
    private readonly List<(TakenLine Line, string Reason)> _pending = [];

    /// <summary>How many there are.</summary>
    public long Count { get; private set; }

    /// <summary>How many are not yet named and kept.</summary>
    public int Pending => _pending.Count;

    public bool HasPending => _pending.Count > 0;

    /// <summary>Passes a line by. It is named and kept by <see cref="Flush"/>.</summary>
    public void Add(TakenLine line, string reason) => _pending.Add((line, reason));

    /// <summary>Names and keeps the lines in their order, and lets them reach the disk.</summary>
    /// <param name="before">Lines with this number and higher ones are forgotten: the run ends there.</param>
    /// <returns>What went wrong, or null. The run must not go on then: lines were passed by that are not kept.</returns>
    public CommandException? Flush(long before)
    {
        CommandException? fault = null;
        foreach (var (line, reason) in _pending.Where(skipped => skipped.Line.Number < before).OrderBy(skipped => skipped.Line.Number))
        {
            Count++;
            Tell($"skipped line {line.Number}: {reason}");
            fault ??= Try(() => Keep(line), $"cannot keep line {line.Number}");
        }

        fault ??= HasPending ? Try(() => file?.Sync(), "the skipped lines may not be on the disk") : null;
        _pending.Clear();
        return fault;
    }

    /// <summary>Says how many lines were stored and passed by, where any was passed by.</summary>
    public void Summarize(long stored)
    {
        if (Count > 0)
        {
            Tell(
                $"{Counted(stored, "message")} stored, {Counted(Count, "line")} skipped{(file is null ? "" : $"; kept in {file.Name}")}");
        }
    }

    private void Keep(TakenLine line)
    {
        byte[] whole = [.. line.Content.Span, .. Encoding.ASCII.GetBytes(line.Ending)];
        file?.Write(whole);
    }

    private static CommandException? Try(Action keep, string whatFailed)
    {
        try
        {
            keep();
            return null;
        }
        catch (IOException failure)
        {
            return new CommandException(
                ExitCode.InputOutput, $"{whatFailed}: {failure.Message}", "skipped lines from there on are named, not kept; messages whose ids were printed are stored");
        }
    }

    private void Tell(string text)
    {
        try
        {
            errors.WriteLine(Quickq.Spool.SafeText.OneLine($"quickq-spool: {text}"));
        }
        catch (IOException)
        {
            // Standard error is closed or full: the exit code still says that lines were passed by.
        }
    }

    private static string Counted(long count, string what) => string.Create(CultureInfo.InvariantCulture, $"{count:N0} {what}{(count == 1 ? "" : "s")}");
}
