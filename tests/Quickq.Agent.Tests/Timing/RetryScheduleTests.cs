using FsCheck;
using FsCheck.Fluent;
using Quickq.Agent.Forwarding;
using Quickq.Agent.Timing;

namespace Quickq.Agent.Tests.Timing;

public sealed class RetryScheduleTests
{
    [Fact]
    public void The_delay_to_the_next_attempt_stays_between_half_a_second_and_thirty_for_any_number_of_failures()
    {
        Prop.ForAll(
            Gen.Choose(1, int.MaxValue).ToArbitrary(),
            Gen.Choose(0, 999_999).Select(millionths => millionths / 1e6).ToArbitrary(),
            (failures, random) =>
            {
                TimeSpan delay = RetrySchedule.ForConnecting(() => random).DelayAfter(failures);
                return delay >= TimeSpan.FromSeconds(0.5) && delay <= TimeSpan.FromSeconds(30);
            }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void It_doubles_up_to_the_longest_and_stays_there_for_thousands_of_failures()
    {
        var schedule = RetrySchedule.ForRefusals(() => 0.999_999_999);

        double[] seconds = [.. Enumerable.Range(1, 5_000).Select(failures => Math.Round(schedule.DelayAfter(failures).TotalSeconds, 3))];

        Assert.Equal([1, 2, 4, 8, 16, 32, 64, 128, 256, 300], seconds[..10]);
        Assert.All(seconds[9..], delay => Assert.Equal(300, delay));
    }

    [Fact]
    public void The_jitter_is_real()
    {
        var random = new Random(42);
        var schedule = RetrySchedule.ForConnecting(random.NextDouble);

        TimeSpan[] delays = [.. Enumerable.Range(0, 1_000).Select(_ => schedule.DelayAfter(7))];

        Assert.True(delays.Distinct().Count() > 900);
        Assert.InRange(delays.Max() - delays.Min(), TimeSpan.FromSeconds(14), TimeSpan.FromSeconds(15));
    }
}
