using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Output;

/// <summary>Shows something again and again until Ctrl-C: in place on a terminal, else one block after the other.</summary>
internal sealed class Screen(StandardStreams streams, bool inPlace, bool separate) : IDisposable
{
    private const string Home = "\e[H", Clear = "\e[2J", ClearLine = "\e[K", ClearBelow = "\e[J";
    private readonly StopSignal _stop = new();
    private bool _shownBefore;

    public ExitCode Repeat(TimeSpan interval, Action<TextWriter> show)
    {
        do
        {
            var block = new StringWriter { NewLine = "\n" };
            show(block);
            Write(block.ToString());
        }
        while (!_stop.IsRaised && !_stop.Wait(interval));

        return ExitCode.Done;
    }

    public void Dispose() => _stop.Dispose();

    /// <summary>Each line is cleared as it is written over: clearing the whole screen first would flicker.</summary>
    private void Write(string block)
    {
        var text = inPlace
            ? (_shownBefore ? Home : Clear + Home) + block.Replace("\n", ClearLine + "\n", StringComparison.Ordinal) + ClearBelow
            : (_shownBefore && separate ? "\n" : "") + block;
        _shownBefore = true;
        streams.Output.Write(text);
        streams.Output.Flush();
    }
}
