using FsCheck;
using FsCheck.Fluent;
using Quickq.Agent.Forwarding;
using Quickq.Agent.Settings;
using Quickq.Agent.Timing;

namespace Quickq.Agent.Tests.Forwarding;

/// <summary>The life of one message under policy and schedule together, through thousands of answers of any kind.</summary>
public sealed class RefusedMessageTests
{
    private static readonly PublishOutcome[] Temporary = [PublishOutcome.Nacked, PublishOutcome.Refused, PublishOutcome.Unanswered, PublishOutcome.Unrouted];

    [Fact]
    public void However_often_and_for_whatever_reason_it_is_refused_it_is_tried_again_within_five_minutes_and_a_confirm_still_delivers_it()
    {
        Prop.ForAll(
            Gen.ArrayOf(Gen.Elements(Temporary), 5_000).ToArbitrary(),
            Gen.Choose(0, int.MaxValue - 1).ToArbitrary(),
            (answers, seed) =>
            {
                var random = new Random(seed);
                var schedule = RetrySchedule.ForRefusals(random.NextDouble);
                int attempts = 0;
                foreach (PublishOutcome answer in answers)
                {
                    Verdict verdict = OutcomePolicy.Decide(answer, Unroutable.Retry);
                    attempts += verdict.Attempted ? 1 : 0;
                    TimeSpan delay = schedule.DelayAfter(attempts);
                    if (verdict.State is not "deferred" || delay < TimeSpan.FromSeconds(0.5) || delay > RetrySchedule.LongestRefusal)
                    {
                        return false;
                    }
                }

                return attempts == answers.Length && OutcomePolicy.Decide(PublishOutcome.Confirmed, Unroutable.Retry).State is "delivered";
            }).Check(Config.QuickThrowOnFailure.WithMaxTest(50));
    }

    [Fact]
    public void The_waits_grow_until_they_are_long_and_never_shrink_by_more_than_the_jitter()
    {
        Prop.ForAll(
            Gen.Choose(1, 1_000_000).ToArbitrary(),
            Gen.Choose(0, int.MaxValue - 1).ToArbitrary(),
            (failures, seed) =>
            {
                var random = new Random(seed);
                var schedule = RetrySchedule.ForRefusals(random.NextDouble);
                return schedule.DelayAfter(failures + 1) >= schedule.DelayAfter(failures) / 2;
            }).QuickCheckThrowOnFailure();
    }
}
