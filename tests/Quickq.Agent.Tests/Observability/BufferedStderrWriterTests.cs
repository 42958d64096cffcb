using System.Text;
using Quickq.Agent.Observability;
using Quickq.Spool.Systemd;
using Quickq.Testing;

namespace Quickq.Agent.Tests.Observability;

/// <summary>Nobody who writes waits for who reads.</summary>
public sealed class BufferedStderrWriterTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    [Fact(Timeout = 60_000)]
    public async Task While_the_stream_takes_nothing_a_thousand_lines_are_kept_and_the_rest_is_counted()
    {
        using var stream = new HeldWriter();
        using var writer = new BufferedStderrWriter(stream);
        writer.Drained = lost => writer.Write($"{lost} lost\n");
        writer.Write("held\n");
        await Eventually.Is("the first line is being written", Limit, () => stream.IsHeld);

        foreach (int line in Enumerable.Range(0, BufferedStderrWriter.Patience + 7))
        {
            writer.Write($"{line}\n");
        }

        Assert.Empty(stream.Text);
        stream.LetGo();
        await Eventually.Is("the loss is told", Limit, () => stream.Text.EndsWith("7 lost\n", StringComparison.Ordinal));
        Assert.Equal(["held", .. Enumerable.Range(0, BufferedStderrWriter.Patience).Select(line => $"{line}"), "7 lost", ""], stream.Text.Split('\n'));
    }

    [Fact(Timeout = 60_000)]
    public void Its_end_waits_for_a_reader_that_reads_and_not_for_one_that_does_not()
    {
        using var stream = new HeldWriter();
        using (var writer = new BufferedStderrWriter(stream))
        {
            writer.Write("one\n");
        }

        Assert.Empty(stream.Text);
        stream.LetGo();
        using (var writer = new BufferedStderrWriter(stream))
        {
            writer.Write("two\n");
        }

        Assert.Contains("two\n", stream.Text, StringComparison.Ordinal);
    }

    /// <summary>A pipe that is full until it is let go.</summary>
    private sealed class HeldWriter : TextWriter
    {
        private readonly ManualResetEventSlim _free = new();
        private readonly Lock _gate = new();
        private readonly StringBuilder _text = new();
        private volatile bool _held;

        public override Encoding Encoding => Encoding.UTF8;

        public bool IsHeld => _held;

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

        public void LetGo() => _free.Set();

        public override void Write(string? value)
        {
            _held = true;
            _free.Wait();
            lock (_gate)
            {
                _text.Append(value);
            }
        }
    }
}
