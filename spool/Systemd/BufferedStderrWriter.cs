using System.Text;

namespace Quickq.Spool.Systemd;

/// <summary>Writes to a stream that may stop taking anything (a pipe that nobody reads), and never makes the caller wait for it.</summary>
/// <remarks>
/// One thread writes, from the first text on; while it is held up, up to <see cref="Patience"/> texts are kept in their order. What comes beyond them is counted,
/// and the count told once the stream takes texts again. Write comes from any thread; one lock guards the queue, and is never held while writing.
/// </remarks>
internal sealed class BufferedStderrWriter(TextWriter output) : TextWriter
{
    /// <summary>In texts: some hours of an agent in trouble.</summary>
    public const int Patience = 1_000;

    /// <summary>At the end: a reader that is merely slow gets everything.</summary>
    private static readonly TimeSpan LastPatience = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly ManualResetEventSlim _wanted = new();
    private readonly ManualResetEventSlim _idle = new(initialState: true);

    // Guarded by the gate.
    private readonly Queue<string> _waiting = new();
    private Thread? _writer;
    private long _lost;

    /// <summary>Is told how many texts were lost, by the writing thread.</summary>
    public Action<long> Drained { get; set; } = _ => { };

    public override Encoding Encoding => output.Encoding;

    public override void Write(char value) => Write(value.ToString());

    public override void Write(string? value)
    {
        if (string.IsNullOrEmpty(value))
        {
            return;
        }

        lock (_gate)
        {
            if (_waiting.Count >= Patience)
            {
                _lost++;
                return;
            }

            _waiting.Enqueue(value);
            _idle.Reset();
            _wanted.Set();
            if (_writer is null)
            {
                _writer = new Thread(WriteForEver) { IsBackground = true, Name = "standard error" };
                _writer.Start();
            }
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _idle.Wait(LastPatience);
        }

        base.Dispose(disposing);
    }

    private void WriteForEver()
    {
        while (true)
        {
            _wanted.Wait();
            if (Next() is { } text)
            {
                WriteOut(text);
            }
        }
    }

    /// <summary>The next text, or null: then all is written.</summary>
    private string? Next()
    {
        long lost;
        lock (_gate)
        {
            if (_waiting.TryDequeue(out string? text))
            {
                return text;
            }

            (lost, _lost) = (_lost, 0);
            if (lost == 0)
            {
                _wanted.Reset();
                _idle.Set();
                return null;
            }
        }

        Drained(lost);
        return null;
    }

    private void WriteOut(string text)
    {
        try
        {
            output.Write(text);
            output.Flush();
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            // The stream is gone (its reader died), or is open for reading only. The program goes on; there is nobody to tell.
        }
    }
}
