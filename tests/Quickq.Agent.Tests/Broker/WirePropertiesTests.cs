using Quickq.Agent.Broker;
using Quickq.Spool;
using RabbitMQ.Client;

namespace Quickq.Agent.Tests.Broker;

public sealed class WirePropertiesTests
{
    [Theory]
    [InlineData(0, "0")]
    [InlineData(-5, "0")]
    [InlineData(0.2, "1")]
    [InlineData(1500, "1500")]
    [InlineData(4_294_967_295, "4294967295")]
    [InlineData(4_294_967_296, null)]
    public void What_is_left_of_a_life_goes_out_in_milliseconds_within_the_brokers_limit(double milliseconds, string? expected) =>
        Assert.Equal(expected, Of(new MessageProperties(), TimeSpan.FromMilliseconds(milliseconds)).Expiration);

    [Fact]
    public void Each_publish_has_properties_of_its_own()
    {
        var given = new Dictionary<string, object?>(StringComparer.Ordinal) { ["a"] = 1L };
        var properties = new MessageProperties { Headers = given };

        var (first, second) = (Of(properties), Of(properties));

        Assert.NotSame(first, second);
        Assert.NotSame(first.Headers, second.Headers);
        first.Headers!["injected"] = true;
        Assert.Single(given);
        Assert.Single(second.Headers!);
    }

    [Fact]
    public void Nobody_can_add_a_header_to_a_message_without() =>
        Assert.Throws<NotSupportedException>(() => Of(MessageProperties.None).Headers!.Add("traceparent", "00-1"));

    [Fact]
    public void A_header_that_AMQP_has_no_place_for_is_told()
    {
        var headers = new Dictionary<string, object?>(StringComparer.Ordinal) { ["a"] = Guid.Empty };
        var refusal = Assert.Throws<UnsendableMessageException>(() => Of(new MessageProperties { Headers = headers }));
        Assert.StartsWith("a header cannot be encoded: ", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(255, 'x', true)]
    [InlineData(256, 'x', false)]
    [InlineData(85, '€', true)]
    [InlineData(86, '€', false)]
    [InlineData(127, 'ü', true)]
    [InlineData(128, 'ü', false)]
    public void Short_texts_are_measured_in_bytes(int length, char letter, bool fits)
    {
        var text = new string(letter, length);
        BrokerMessage[] messages =
        [
            Message() with { Id = text }, Message() with { Exchange = text }, Message() with { RoutingKey = text },
            Message() with { Properties = new MessageProperties { ContentType = text } },
            Message() with { Properties = new MessageProperties { Headers = new Dictionary<string, object?>(StringComparer.Ordinal) { [text] = null } } },
        ];
        Assert.All(messages, message =>
        {
            var refusal = Record.Exception(() => WireProperties.Of(message, frameMax: 0));
            Assert.Equal(fits, refusal is null);
            Assert.True(refusal is null or UnsendableMessageException);
        });
    }

    private static BrokerMessage Message() => new("id", "x", "k", MessageProperties.None, DateTimeOffset.UnixEpoch, Expiration: null, ReadOnlyMemory<byte>.Empty);

    private static BasicProperties Of(MessageProperties properties, TimeSpan? expiration = null) =>
        WireProperties.Of(Message() with { Properties = properties, Expiration = expiration }, frameMax: 131_072);
}
