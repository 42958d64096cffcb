namespace Quickq.Bench;

/// <summary>One run: how many messages, in what time, for how much processor time, with how much resident memory at its highest.</summary>
internal sealed record Measurement(int Messages, TimeSpan Elapsed, TimeSpan Processor, long ResidentBytes)
{
    public double PerSecond => Messages / Elapsed.TotalSeconds;

    public double ProcessorMicroseconds => Processor.TotalMicroseconds / Messages;

    /// <summary>The middle one of the values, the lower of two.</summary>
    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[(sorted.Length - 1) / 2];
    }
}
