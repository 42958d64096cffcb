namespace Quickq.Agent.Timing;

/// <summary>Pure: from a number of failures in a row to the time until the next try.</summary>
/// <remarks>
/// Doubles from <paramref name="first"/> to <paramref name="last"/>; the exponent is capped, so any number of failures is fine. Jitter is real: the
/// delay is drawn evenly from the upper half of that time, so that many agents do not come back at once.
/// </remarks>
/// <param name="random">A number from 0 up to, not including, 1.</param>
internal sealed class RetrySchedule(TimeSpan first, TimeSpan last, Func<double> random)
{
    private const int MaxExponent = 30;

    /// <summary>Between attempts to connect: from 0.5 s, the lower end of the first draw, to 30 s.</summary>
    public static RetrySchedule ForConnecting(Func<double> random) => new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(30), random);

    /// <summary>Between attempts at a refused message, and between probes of a suspended exchange: 1 s to 5 min.</summary>
    public static RetrySchedule ForRefusals(Func<double> random) => new(TimeSpan.FromSeconds(1), LongestRefusal, random);

    /// <summary>No refused message waits longer than this.</summary>
    public static TimeSpan LongestRefusal { get; } = TimeSpan.FromMinutes(5);

    /// <summary>The delay after the given number of failures in a row (1 or more).</summary>
    public TimeSpan DelayAfter(int failures)
    {
        double whole = first.TotalSeconds * Math.Pow(2, Math.Clamp(failures - 1, 0, MaxExponent));
        return TimeSpan.FromSeconds(Math.Min(whole, last.TotalSeconds) * (0.5 + (random() / 2)));
    }
}
