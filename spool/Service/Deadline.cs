using System.Diagnostics;

namespace Quickq.Spool.Service;

/// <summary>A point in time, by the clock that nobody sets, until which something is waited for.</summary>
/// <param name="Length">How long it was from the beginning; <see cref="Timeout.InfiniteTimeSpan"/> for ever.</param>
internal readonly record struct Deadline(TimeSpan Length)
{
    private readonly long _start = Stopwatch.GetTimestamp();

    public static Deadline Never => new(Timeout.InfiniteTimeSpan);

    /// <summary>What is left, for <c>poll(2)</c>: rounded up, 0 when the time is over, -1 for ever.</summary>
    public int LeftMilliseconds()
    {
        if (Length == Timeout.InfiniteTimeSpan)
        {
            return -1;
        }

        double left = (Length - Stopwatch.GetElapsedTime(_start)).TotalMilliseconds;
        return left <= 0 ? 0 : (int)Math.Min(Math.Ceiling(left), int.MaxValue);
    }
}
