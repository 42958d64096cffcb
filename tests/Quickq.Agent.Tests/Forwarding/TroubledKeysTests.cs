using Quickq.Agent.Forwarding;
using Quickq.Agent.Tests.Broker;
using Quickq.Agent.Timing;

namespace Quickq.Agent.Tests.Forwarding;

public sealed class TroubledKeysTests
{
    private readonly HandTime _clock = new();
    private readonly TroubledKeys _keys;

    public TroubledKeysTests() => _keys = new TroubledKeys(() => new SendLimit(100, RetrySchedule.ForRefusals(() => 0), _clock));

    [Fact]
    public void There_are_no_more_than_a_thousand_and_one_that_nobody_waits_for_gives_way()
    {
        for (int number = 0; number < TroubledKeys.Most; number++)
        {
            Assert.True(_keys.TryAdd("e", $"key-{number}", out TroubledKey? key, out bool isNew));
            Assert.True(isNew);
            key.Suspend("refused");
            key.WaitFrom(number);
        }

        Assert.False(_keys.TryAdd("e", "one more", out _, out _));
        _keys.Find("e", "key-7")!.StopWaiting();
        _clock.Advance(TimeSpan.FromSeconds(1));

        Assert.True(_keys.TryAdd("e", "one more", out _, out _));
        Assert.Null(_keys.Find("e", "key-7"));
        Assert.Equal(TroubledKeys.Most, _keys.Count);
    }

    [Fact]
    public void An_answer_to_an_older_message_says_nothing_of_a_key_that_was_refused_since()
    {
        Assert.True(_keys.TryAdd("e", "k", out TroubledKey? key, out _));
        key.Suspend("a queue is full");

        Assert.False(key.Confirmed(1));
        Assert.Equal(0, key.Limit.Value);
        _clock.Advance(TimeSpan.FromSeconds(1));
        key.Limit.TryProbe();
        key.Sent(2);
        Assert.True(key.Confirmed(2));
        Assert.Equal(2, key.Limit.Value);
    }

    [Fact]
    public void A_late_answer_ends_the_trouble_of_a_key_that_was_unanswered()
    {
        Assert.True(_keys.TryAdd("e", "k", out TroubledKey? key, out _));
        key.Suspend("no confirm came", unanswered: true);

        Assert.True(key.Confirmed(1));
        Assert.Equal(1, key.Limit.Value);
    }
}
