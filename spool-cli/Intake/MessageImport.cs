using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Intake;

/// <summary>Stores the lines of an export in batches; a line that cannot be stored ends it with its number, all before it stored.</summary>
internal sealed class MessageImport(SpoolWriter writer)
{
    private const int MaxMessages = 250, MaxBytes = 1024 * 1024;

    private readonly LineSplitter _splitter = new();
    private readonly List<OutgoingMessage> _batch = [];
    private readonly List<long> _lineNumbers = [];
    private long _batchBytes;

    /// <summary>Messages that were stored.</summary>
    public long Stored { get; private set; }

    /// <summary>Messages that were in the spool already, with the same content.</summary>
    public long KnownBefore { get; private set; }

    public void Run(Descriptor input, StopSignal stop)
    {
        var buffer = new byte[64 * 1024];
        while (!stop.IsRaised)
        {
            // A signal may interrupt the wait before its own thread has raised the flag: only reading nothing is the end.
            if (!input.WaitReadable(stop.Raised, -1))
            {
                continue;
            }

            var count = input.Read(buffer);
            if (count == 0)
            {
                Add(_splitter.HasUnfinishedLine ? _splitter.TakeUnfinished() : default);
                break;
            }

            Take(buffer.AsSpan(0, count));
        }

        Commit();
    }

    /// <summary>How far it came.</summary>
    public long LineNumber => _splitter.LineNumber;

    private void Take(ReadOnlySpan<byte> bytes)
    {
        while (TryTakeLine(ref bytes, out var line))
        {
            Add(line);
            if (_batch.Count >= MaxMessages || _batchBytes >= MaxBytes)
            {
                Commit();
            }
        }
    }

    private void Add(ReadOnlyMemory<byte> line)
    {
        if (line.IsEmpty)
        {
            return;
        }

        try
        {
            _batch.Add(MessageLine.Read(line));
        }
        catch (CommandException exception)
        {
            throw CommitAndNumber(exception);
        }

        _lineNumbers.Add(_splitter.LineNumber);
        _batchBytes += line.Length;
    }

    private bool TryTakeLine(ref ReadOnlySpan<byte> bytes, out ReadOnlyMemory<byte> line)
    {
        try
        {
            return _splitter.TryTake(ref bytes, out line);
        }
        catch (CommandException exception)
        {
            throw CommitAndNumber(exception);
        }
    }

    /// <summary>Stores what stands before the line that cannot be read. Should one of those be refused, that is the first fault, and the one to tell.</summary>
    private CommandException CommitAndNumber(CommandException exception)
    {
        Commit();
        return Numbered(exception.Code, exception.Message, exception.Hint, _splitter.LineNumber);
    }

    private void Commit()
    {
        var batch = _batch.ToArray();
        long[] lineNumbers = [.. _lineNumbers];
        _batch.Clear();
        _lineNumbers.Clear();
        _batchBytes = 0;
        try
        {
            Store(batch);
        }
        catch (SpoolException exception) when (exception.Fault is SpoolFault.InvalidMessage or SpoolFault.IdConflict or SpoolFault.Full)
        {
            // All or none: now find the one that is too much, and store what stands before it.
            for (var i = 0; i < batch.Length; i++)
            {
                StoreOne(batch[i], lineNumbers[i]);
            }
        }

        writer.CheckpointIfAlone(isLast: false);
    }

    private void StoreOne(OutgoingMessage message, long lineNumber)
    {
        try
        {
            Store([message]);
        }
        catch (SpoolException exception)
        {
            throw Numbered(ErrorReport.CodeOf(exception.Fault), exception.Message, exception.Hint, lineNumber);
        }
    }

    private static CommandException Numbered(ExitCode code, string message, string? hint, long lineNumber) =>
        new(code, $"line {lineNumber}: {message}", $"{hint}{(hint is null ? "" : "; ")}what stands before this line is stored");

    private void Store(IReadOnlyList<OutgoingMessage> messages)
    {
        writer.AppendMany(messages, out var stored);
        Stored += stored;
        KnownBefore += messages.Count - stored;
    }
}
