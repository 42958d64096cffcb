using Quickq.Agent.Forwarding;
using Quickq.Agent.Settings;

namespace Quickq.Agent.Tests.Forwarding;

public sealed class OutcomePolicyTests
{
    public static TheoryData<string, string, string, bool, bool> Table => new()
    {
        // outcome, unroutable, state, counted as unrouted, counted as an attempt
        { "Confirmed", "Accept", "delivered", false, true },
        { "Confirmed", "Retry", "delivered", false, true },
        { "Unrouted", "Accept", "delivered", true, true },
        { "Unrouted", "Ignore", "delivered", true, true },
        { "Unrouted", "Retry", "deferred", false, true },
        { "Unrouted", "Park", "rejected", false, true },
        { "Nacked", "Accept", "deferred", false, true },
        { "Unanswered", "Accept", "deferred", false, true },
        { "Refused", "Accept", "deferred", false, true },
        { "RefusedForGood", "Accept", "rejected", false, true },
        { "Unencodable", "Accept", "rejected", false, false },
        { "Expired", "Accept", "expired", false, false },
    };

    [Theory]
    [MemberData(nameof(Table))]
    public void Each_outcome_has_its_state(string outcome, string unroutable, string state, bool unrouted, bool attempted)
    {
        Verdict verdict = OutcomePolicy.Decide(Enum.Parse<PublishOutcome>(outcome), Enum.Parse<Unroutable>(unroutable));

        Assert.Equal(new Verdict(state, unrouted, attempted), verdict);
    }

    [Fact]
    public void No_outcome_is_without_a_verdict_and_only_the_broker_s_word_delivers()
    {
        foreach (PublishOutcome outcome in Enum.GetValues<PublishOutcome>())
        {
            foreach (Unroutable unroutable in Enum.GetValues<Unroutable>())
            {
                Verdict verdict = OutcomePolicy.Decide(outcome, unroutable);
                Assert.True(verdict.State is not "delivered" || outcome is PublishOutcome.Confirmed or PublishOutcome.Unrouted);
            }
        }
    }
}
