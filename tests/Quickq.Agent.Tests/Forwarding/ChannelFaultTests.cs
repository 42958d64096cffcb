using Quickq.Agent.Feed;
using Quickq.Agent.Forwarding;

namespace Quickq.Agent.Tests.Forwarding;

public sealed class ChannelFaultTests
{
    [Fact]
    public void A_missing_or_forbidden_exchange_blames_no_message()
    {
        Assert.True(new ChannelFault(404, "NOT_FOUND - no exchange 'x' in vhost '/'").IsOfExchange);
        Assert.True(new ChannelFault(403, "ACCESS_REFUSED - write access to exchange 'x' in vhost '/' refused for user 'u'").IsOfExchange);
    }

    [Theory]
    [InlineData("PRECONDITION_FAILED - message size 2048 is larger than configured max size 1024")]
    [InlineData("PRECONDITION_FAILED - message size 2048 is larger than max size 1024")]
    public void A_message_that_is_too_large_is_found_by_its_size_and_refused_for_good(string text)
    {
        var fault = new ChannelFault(406, text);
        FeedMessage[] inFlight = [Rows.Row(1, 1024), Rows.Row(2, 2048), Rows.Row(3, 10)];

        Assert.False(fault.IsOfExchange);
        Assert.Equal([inFlight[1]], fault.FindNamed(inFlight));
        Assert.Equal(PublishOutcome.RefusedForGood, fault.Outcome);
    }

    [Fact]
    public void A_refused_routing_key_is_found_by_its_name_and_may_be_taken_later()
    {
        var fault = new ChannelFault(403, "ACCESS_REFUSED - access to topic 'a.b' in exchange 'x' in vhost '/' refused for user 'u'");
        FeedMessage[] inFlight = [Rows.Row(1, key: "a.c"), Rows.Row(2, key: "a.b")];

        Assert.False(fault.IsOfExchange);
        Assert.Equal([inFlight[1]], fault.FindNamed(inFlight));
        Assert.Equal(PublishOutcome.Refused, fault.Outcome);
    }
}
