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
/// <para>With <paramref name="skipped"/> a line that cannot be stored is passed by instead. What may pass (a full spool, a lock, a broken disk) ends the
/// intake all the same.</para>
/// </remarks>
internal sealed class LineIntake(ISpoolProducer spool, MessageRecipe recipe, StandardStreams streams, SkippedLines? skipped, bool keepIds)
{
    private const int MaxLines = 250, MaxBytes = 1024 * 1024, PauseMilliseconds = 2;
    private static readonly TimeSpan MaxAge = TimeSpan.FromMilliseconds(100);

    private readonly LineSplitter _splitter = new();
    private readonly List<OutgoingMessage> _batch = [];
    private readonly List<TakenLine> _lines = [];
    private readonly List<string> _ids = [];
    private long _firstLineAt;
    private long _batchBytes;
    private long _storedCount;
    private int _refused;

    /// <summary>Nothing was taken since the last commit.</summary>
    private bool IsEmpty => _batch.Count == 0 && skipped is not { HasPending: true };

    /// <summary>The ids of all messages stored, in order, where they are wanted: an endless input must not fill the memory.</summary>
    public IReadOnlyList<string> Ids => _ids;

    /// <summary>Takes lines until the input ends or <paramref name="stop"/> is raised.</summary>
    public void Run(Descriptor input, StopSignal stop)
    {
        var buffer = new byte[64 * 1024];
        while (!stop.IsRaised)
        {
            if (!input.WaitReadable(stop.Raised, IsEmpty ? -1 : PauseMilliseconds))
            {
                Commit();
                continue;
            }

            var count = input.Read(buffer);
            if (count == 0 && !stop.IsRaised)
            {
                TakeLastLine();
                Commit();
                skipped?.Summarize(_storedCount);
                return;
            }

            TakeLines(buffer.AsSpan(0, count));
        }

        Commit();
        skipped?.Summarize(_storedCount);
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

        if (_batch.Count + (skipped?.Pending ?? 0) >= MaxLines || _batchBytes >= MaxBytes || (!IsEmpty && streams.Clock.GetElapsedTime(_firstLineAt) >= MaxAge))
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

        var taken = new TakenLine(_splitter.LineNumber, line, _splitter.LastEnding);
        OutgoingMessage message;
        try
        {
            message = recipe.Make(line);
        }
        catch (CommandException invalid) when (skipped is not null && invalid.Code == ExitCode.BadData)
        {
            Count(line.Length);
            skipped.Add(taken, invalid.Message);
            return;
        }

        Count(line.Length);
        _batch.Add(message);
        _lines.Add(taken);
    }

    private void Count(int bytes)
    {
        _firstLineAt = IsEmpty ? streams.Clock.GetTimestamp() : _firstLineAt;
        _batchBytes += bytes;
    }

    private void CommitThenThrow(CommandException exception)
    {
        Commit();
        throw new CommandException(exception.Code, $"line {_splitter.LineNumber}: {exception.Message}", exception.Hint);
    }

    private void Commit()
    {
        if (IsEmpty)
        {
            return;
        }

        var stored = new List<string>(_batch.Count);
        CommandException? ended = null;
        try
        {
            Store(0, _batch.Count, stored);
        }
        catch (CommandException exception)
        {
            ended = exception;
        }

        // The caller begins again at the line that ended the run: what stands behind it is not passed by.
        var notKept = skipped?.Flush(ended is null ? long.MaxValue : _lines[stored.Count + _refused].Number);
        _batch.Clear();
        _lines.Clear();
        _batchBytes = 0;
        _refused = 0;
        Print(stored);
        if ((ended ?? notKept) is { } fault)
        {
            throw fault;
        }
    }

    /// <summary>Stores a part of the batch in commits of at most <see cref="MaxLines"/>.</summary>
    private void Store(int from, int to, List<string> stored)
    {
        for (var next = from; next < to;)
        {
            var end = Math.Min(next + MaxLines, to);
            var refused = TryStore(next, end, stored);
            if (refused is { Fault: SpoolFault.InvalidMessage } && skipped is not null)
            {
                StoreWithout(refused, next, end, stored);
            }
            else if (refused is { Fault: SpoolFault.InvalidMessage or SpoolFault.Full } && to - next > 1)
            {
                // All or none: now find the one that is too much, and store what stands before it.
                StoreOneByOne(next, to, stored);
                return;
            }
            else if (refused is not null)
            {
                throw Refused(refused, _lines[next].Number);
            }

            next = end;
        }
    }

    /// <summary>Finds the lines that were refused by halves, so that few of them cost few commits, and passes them by.</summary>
    private void StoreWithout(SpoolException refused, int from, int to, List<string> stored)
    {
        if (to - from == 1)
        {
            PassBy(from, refused);
            return;
        }

        var middle = from + ((to - from) / 2);
        Store(from, middle, stored);
        Store(middle, to, stored);
    }

    private void StoreOneByOne(int from, int to, List<string> stored)
    {
        for (var i = from; i < to; i++)
        {
            var refused = TryStore(i, i + 1, stored);
            if (refused is { Fault: SpoolFault.InvalidMessage } && skipped is not null)
            {
                PassBy(i, refused);
            }
            else if (refused is not null)
            {
                throw Refused(refused, _lines[i].Number);
            }
        }
    }

    private void PassBy(int index, SpoolException refused)
    {
        skipped!.Add(_lines[index], refused.Message);
        _refused++;
    }

    /// <summary>Stores them in one commit; or says why none of them was stored.</summary>
    private SpoolException? TryStore(int from, int to, List<string> stored)
    {
        try
        {
            stored.AddRange(spool.AppendMany(_batch.GetRange(from, to - from)));
            return null;
        }
        catch (SpoolException refused)
        {
            return refused;
        }
    }

    private void Print(List<string> stored)
    {
        if (stored.Count == 0)
        {
            return;
        }

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
