using System.Text;

namespace Quickq.Testing;

/// <summary>Collects what a child writes while it runs, so that its pipe never fills.</summary>
internal sealed class TextCapture
{
    public static readonly Encoding Utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
    private readonly Lock _gate = new();
    private readonly StringBuilder _text = new();

    private TextCapture(StreamReader source)
    {
        Completion = Task.Factory.StartNew(() => Read(source), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Completes at the end of the stream.</summary>
    public Task Completion { get; }

    public string Text
    {
        get
        {
            lock (_gate)
            {
                return _text.ToString();
            }
        }
    }

    public static TextCapture Of(StreamReader source) => new(source);

    private void Read(StreamReader source)
    {
        var buffer = new char[4096];
        while (source.Read(buffer, 0, buffer.Length) is var count and > 0)
        {
            lock (_gate)
            {
                _text.Append(buffer, 0, count);
            }
        }
    }
}
