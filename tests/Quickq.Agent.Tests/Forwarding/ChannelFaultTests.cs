using System.Text;
using Quickq.Agent.Feed;
using Quickq.Agent.Forwarding;

namespace Quickq.Agent.Tests.Forwarding;

public sealed class ChannelFaultTests
{
    [Theory]
    [InlineData(404, "NOT_FOUND - no exchange 'x' in vhost '/'")]
    [InlineData(403, "ACCESS_REFUSED - access to exchange 'x' in vhost '/' refused for user 'u'")]
    [InlineData(403, "ACCESS_REFUSED - write access to exchange 'x' in vhost '/' refused for user 'u'")]
    [InlineData(403, "ACCESS_REFUSED - cannot publish to internal exchange 'x' in vhost '/'")]
    public void A_missing_forbidden_or_internal_exchange_blames_no_message(ushort code, string text)
    {
        var fault = new ChannelFault(code, text);

        Assert.True(fault.IsOfExchange);
        Assert.Equal(code == 404, fault.IsMissingExchange);
        Assert.Empty(fault.FindNamed([Rows.Row(1), Rows.Row(2)]));
    }

    [Theory]
    [InlineData(403, "ACCESS_REFUSED - access to topic 'a' in exchange 'access to exchange ''")]
    [InlineData(403, "ACCESS_REFUSED - some new word")]
    [InlineData(404, "NOT_FOUND - no queue 'NOT_FOUND - no exchange 'x''")]
    [InlineData(406, "PRECONDITION_FAILED - invalid message")]
    [InlineData(541, "INTERNAL_ERROR")]
    public void No_other_words_blame_the_exchange(ushort code, string text) => Assert.False(new ChannelFault(code, text).IsOfExchange);

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

    [Theory]
    [InlineData("a.b")]
    [InlineData("bad.a\nb")]
    [InlineData("bad.' in exchange 'y' in vhost '/'")]
    [InlineData("it's")]
    [InlineData("")]
    [InlineData("größe.衛星")]
    public void A_refused_routing_key_of_any_form_is_found_by_its_name_and_may_be_taken_later(string key)
    {
        ChannelFault fault = Refused(key);
        FeedMessage[] inFlight = [Rows.Row(1, 100, key: "a.c"), Rows.Row(2, 100, key), Rows.Row(3, 100, key)];

        Assert.False(fault.IsOfExchange);
        Assert.Equal([inFlight[1]], fault.FindNamed(inFlight));
        Assert.Equal(PublishOutcome.Refused, fault.Outcome);
    }

    [Theory]
    [InlineData('k', 250)]
    [InlineData('k', 209)]
    [InlineData('ß', 120)]
    [InlineData('衛', 80)]
    public void A_routing_key_whose_refusal_is_cut_by_the_broker_is_found_by_its_beginning(char letter, int length)
    {
        string key = "bad." + new string(letter, length - 4);
        FeedMessage[] inFlight = [Rows.Row(1, 300, key: "bad"), Rows.Row(2, 300, key: "good." + key[5..]), Rows.Row(3, 300, key)];

        ChannelFault fault = Refused(key);

        Assert.False(fault.IsOfExchange);
        Assert.Equal([inFlight[2]], fault.FindNamed(inFlight));
    }

    [Fact]
    public void A_key_that_ends_in_dots_is_not_taken_for_a_cut_text() =>
        Assert.Empty(Refused("a...").FindNamed([Rows.Row(1, key: "abc"), Rows.Row(2, key: "a.b")]));

    /// <summary>As RabbitMQ writes it: 252 bytes and three dots where it is longer than 255.</summary>
    private static ChannelFault Refused(string key)
    {
        byte[] text = Encoding.UTF8.GetBytes($"ACCESS_REFUSED - access to topic '{key}' in exchange 'x' in vhost '/' refused for user 'u'");
        return new ChannelFault(403, Encoding.UTF8.GetString(text.Length > 255 ? [.. text[..252], .. "..."u8] : text));
    }
}
