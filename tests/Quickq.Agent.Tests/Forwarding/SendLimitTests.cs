using FsCheck;
using FsCheck.Fluent;
using Quickq.Agent.Forwarding;
using Quickq.Agent.Tests.Broker;
using Quickq.Agent.Timing;

namespace Quickq.Agent.Tests.Forwarding;

/// <summary>The one number of an exchange, and what it costs to find a guilty message with it.</summary>
public sealed class SendLimitTests
{
    private const int Window = 1_000;
    private readonly HandTime _clock = new();

    [Fact]
    public void A_guilty_message_far_behind_in_a_window_costs_few_closed_channels_and_few_repeats()
    {
        foreach (int guilty in (int[])[1, 2, 500, 900, 999, Window])
        {
            Run run = Isolate(Window, [guilty]);

            Assert.Equal([guilty], run.Convicted);
            Assert.Equal(Window - 1, run.Delivered);
            Assert.InRange(run.Closes, 1, 14);
            Assert.InRange(run.Repeats, 0, 2 * Window);
        }
    }

    [Fact]
    public void Exactly_the_guilty_are_convicted_whoever_and_however_many_they_are()
    {
        Prop.ForAll(Gen.Choose(1, 300).ToArbitrary(), Gen.Choose(0, 299).ArrayOf(3).ToArbitrary(), (count, picks) =>
        {
            var guilty = picks.Select(pick => (pick % count) + 1).ToHashSet();

            Run run = Isolate(count, guilty);

            Assert.Equal(guilty.Order(), run.Convicted.Order());
            Assert.Equal(count - guilty.Count, run.Delivered);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Each_answer_adds_one_and_never_more_than_the_window()
    {
        SendLimit limit = NewLimit(8);
        Assert.False(limit.Closed(5));
        Assert.Equal(1, limit.Value);

        int[] values = [.. Enumerable.Range(0, 10).Select(_ =>
        {
            limit.Answered();
            return limit.Value;
        })];

        Assert.Equal([2, 3, 4, 5, 6, 7, 8, 8, 8, 8], values);
        Assert.True(limit.IsFull);
    }

    [Fact]
    public void Suspended_nothing_is_sent_until_the_probe_is_due_and_that_is_later_each_time()
    {
        SendLimit limit = NewLimit(8);

        Assert.Equal(TimeSpan.FromSeconds(0.5), limit.Suspend());
        Assert.False(limit.TryProbe());
        _clock.Advance(TimeSpan.FromSeconds(0.5));
        Assert.True(limit.TryProbe());
        Assert.Equal(1, limit.Value);
        Assert.Equal(TimeSpan.FromSeconds(1), limit.Suspend());
        limit.ProbeNow();
        Assert.True(limit.TryProbe());
        limit.Answered();
        Assert.Equal(TimeSpan.FromSeconds(0.5), limit.Suspend());
    }

    [Fact]
    public void What_was_out_alone_is_guilty_and_nobody_else_is()
    {
        SendLimit limit = NewLimit(8);

        Assert.False(limit.Closed(2));
        Assert.True(limit.Closed(1));
    }

    /// <summary>A broker that confirms in order, a round trip at a time, and closes the channel at a guilty message without a word on those before it in the same trip.</summary>
    private Run Isolate(int count, HashSet<int> guilty)
    {
        SendLimit limit = NewLimit(Window);
        var waiting = new LinkedList<int>(Enumerable.Range(1, count));
        var sent = new HashSet<int>();
        var run = new Run();
        while (waiting.Count > 0 && run.Closes < 2 * Window)
        {
            int[] trip = [.. waiting.Take(limit.Value)];
            run.Repeats += trip.Count(number => !sent.Add(number));
            if (!trip.Any(guilty.Contains))
            {
                foreach (int number in trip)
                {
                    waiting.Remove(number);
                    limit.Answered();
                }

                run.Delivered += trip.Length;
                continue;
            }

            run.Closes++;
            if (limit.Closed(trip.Length))
            {
                run.Convicted.AddRange(trip);
                Array.ForEach(trip, number => waiting.Remove(number));
            }
        }

        return run;
    }

    private SendLimit NewLimit(int most) => new(most, RetrySchedule.ForRefusals(() => 0), _clock);

    private sealed class Run
    {
        public List<int> Convicted { get; } = [];

        public int Delivered { get; set; }

        public int Closes { get; set; }

        public int Repeats { get; set; }
    }
}
