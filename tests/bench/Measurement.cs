namespace Quickq.Bench;

/// <summary>One run: how many messages, in what time, for how much processor time and how many context switches, with how much resident memory at its highest.</summary>
internal sealed record Measurement(int Messages, TimeSpan Elapsed, TimeSpan Processor, long Switches, long PeakBytes)
{
    public double PerSecond => Messages / Elapsed.TotalSeconds;

    public double ProcessorMicroseconds => Processor.TotalMicroseconds / Messages;

    /// <summary>What a process used between two readings, for so many messages.</summary>
    public static Measurement Between(ProcessReading before, ProcessReading after, int messages) => new(
        messages, after.At - before.At, after.Processor - before.Processor, after.Switches - before.Switches, after.PeakBytes);
}

/// <summary>Several runs of one contestant.</summary>
internal sealed class Runs
{
    private readonly List<Measurement> _all = [];

    public double PerSecond => Median(run => run.PerSecond);

    public double ProcessorMicroseconds => Median(run => run.ProcessorMicroseconds);

    public double SwitchesPerMessage => Median(run => (double)run.Switches / run.Messages);

    public double PeakMebibytes => _all.Max(run => run.PeakBytes) / 1048576.0;

    public string RateWithSpread => $"{Report.Number(PerSecond)} ({Report.Number(_all.Min(run => run.PerSecond))} - {Report.Number(_all.Max(run => run.PerSecond))})";

    public string CostWithSpread =>
        $"{Report.Number(ProcessorMicroseconds, 1)} ({Report.Number(_all.Min(run => run.ProcessorMicroseconds), 1)} - {Report.Number(_all.Max(run => run.ProcessorMicroseconds), 1)})";

    public void Add(Measurement run) => _all.Add(run);

    /// <summary>The middle one, the lower of two.</summary>
    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[(sorted.Length - 1) / 2];
    }

    private double Median(Func<Measurement, double> of) => Median(_all.Select(of));
}
