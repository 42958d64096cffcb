using System.Text;
using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Intake;

/// <summary>Stores one message a line while the lines come in, and prints each id once its message is safe.</summary>
/// <remarks>
/// <para>A batch is stored as soon as the input pauses, and at the latest 100 ms after its first line, at 250 lines
/// or at 1 MiB. Under load lines pile up in the pipe meanwhile, so batches grow by themselves, but no commit has more than
/// 250 lines: everybody else waits while it has the lock.</para>
/// <para>All whole lines of what was read go into a batch before anything is printed: when standard output breaks, no
/// line that was taken from the input is lost. A line that cannot be stored ends the intake with its number, the lines
/// before it stored and printed. SIGTERM and SIGINT end it as the end of the input does, but for an unfinished line,
/// which may be half a message.</para>
/// </remarks>
internal sealed class LineIntake(ISpoolProducer spool, MessageRecipe recipe, StandardStreams streams, bool keepIds)
{
    private const int MaxLines = 250, MaxBytes = 1024 * 1024, PauseMilliseconds = 2;
    private static readonly TimeSpan MaxAge = TimeSpan.FromMilliseconds(100);

    private readonly LineSplitter _splitter = new();
    private readonly List<OutgoingMessage> _batch = [];
    private readonly List<long> _lineNumbers = [];
    private readonly List<string> _ids = [];
    private long _firstLineAt;
    private long _batchBytes;
    private long _storedCount;

    /// <summary>The ids of all messages stored, in order, where they are wanted: an endless input must not fill the memory.</summary>
    public IReadOnlyList<string> Ids => _ids;

    /// <summary>Takes lines until the input ends or <paramref name="stop"/> is raised.</summary>
    public void Run(Descriptor input, StopSignal stop)
    {
        var buffer = new byte[64 * 1024];
        while (!stop.IsRaised)
        {
            if (!input.WaitReadable(stop.Raised, _batch.Count == 0 ? -1 : PauseMilliseconds))
            {
                Commit();
                continue;
            }

            var count = input.Read(buffer);
            if (count == 0 && !stop.IsRaised)
            {
                TakeLastLine();
                Commit();
                return;
            }

            TakeLines(buffer.AsSpan(0, count));
        }

        Commit();
        streams.Error.WriteLine(
            $"quickq-spool: stopped by a signal after line {_splitter.LineNumber}; {_storedCount} messages are stored" +
            (_splitter.HasUnfinishedLine ? "; an unfinished line was not" : ""));
    }

    private void TakeLines(ReadOnlySpan<byte> bytes)
    {
        try
        {
            while (_splitter.TryTake(ref bytes, out var line))
            {
                Add(line);
            }
        }
        catch (CommandException exception)
        {
            CommitThenThrow(exception);
        }

        if (_batch.Count >= MaxLines || _batchBytes >= MaxBytes || (_batch.Count > 0 && streams.Clock.GetElapsedTime(_firstLineAt) >= MaxAge))
        {
            Commit();
        }
    }

    private void TakeLastLine()
    {
        try
        {
            Add(_splitter.HasUnfinishedLine ? _splitter.TakeUnfinished() : default);
        }
        catch (CommandException exception)
        {
            CommitThenThrow(exception);
        }
    }

    private void Add(ReadOnlyMemory<byte> line)
    {
        if (line.IsEmpty)
        {
            return;
        }

        var message = recipe.Make(line);
        _firstLineAt = _batch.Count == 0 ? streams.Clock.GetTimestamp() : _firstLineAt;
        _batch.Add(message);
        _lineNumbers.Add(_splitter.LineNumber);
        _batchBytes += line.Length;
    }

    private void CommitThenThrow(CommandException exception)
    {
        Commit();
        throw new CommandException(exception.Code, $"line {_splitter.LineNumber}: {exception.Message}", exception.Hint);
    }

    private void Commit()
    {
        if (_batch.Count == 0)
        {
            return;
        }

        var stored = new List<string>(_batch.Count);
        SpoolException? refused = null;
        try
        {
            while (stored.Count < _batch.Count)
            {
                stored.AddRange(spool.AppendMany(_batch.GetRange(stored.Count, Math.Min(MaxLines, _batch.Count - stored.Count))));
            }
        }
        catch (SpoolException exception)
        {
            refused = exception;
        }

        if (stored.Count > 0)
        {
            Print(stored);
        }

        if (refused is { Fault: SpoolFault.InvalidMessage or SpoolFault.Full } && _batch.Count > stored.Count + 1)
        {
            // All or none: now find the one that is too much, and store what stands before it.
            CommitOneByOne(stored.Count);
        }
        else if (refused is not null)
        {
            throw Refused(refused, _lineNumbers[stored.Count]);
        }

        _batch.Clear();
        _lineNumbers.Clear();
        _batchBytes = 0;
    }

    private void CommitOneByOne(int from)
    {
        for (var i = from; i < _batch.Count; i++)
        {
            try
            {
                Print([spool.Append(_batch[i])]);
            }
            catch (SpoolException exception)
            {
                throw Refused(exception, _lineNumbers[i]);
            }
        }
    }

    private void Print(IReadOnlyList<string> stored)
    {
        _storedCount += stored.Count;
        if (keepIds)
        {
            _ids.AddRange(stored);
        }

        var text = new StringBuilder();
        foreach (var id in stored)
        {
            text.Append(id).Append('\n');
        }

        try
        {
            streams.RawOutput.Write(StandardStreams.Utf8.GetBytes(text.ToString()));
        }
        catch (IOException exception)
        {
            throw new CommandException(
                ExitCode.InputOutput,
                $"{exception.Message}; stopped after line {_splitter.LineNumber}",
                $"all {_storedCount} messages up to there are stored, the last {stored.Count} ids may not have been printed");
        }
    }

    private static CommandException Refused(SpoolException exception, long lineNumber) =>
        new(ErrorReport.CodeOf(exception.Fault), $"line {lineNumber}: {exception.Message}", Join(exception.Hint, "what stands before this line is stored"));

    private static string Join(string? hint, string note) => hint is null ? note : $"{hint}; {note}";
}
