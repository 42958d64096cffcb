using System.Text.Json;
using Quickq.Spool.Tests.Vectors;
using Quickq.Testing;

namespace Quickq.Spool.Tests.Ssec;

public sealed class SsecTopicTests
{
    [Fact]
    public void The_topic_of_every_captured_event_is_derived_from_its_payload()
    {
        Assert.Equal(2000, SsecEvents.All.Count);
        Assert.All(SsecEvents.All, captured =>
        {
            string topic = SsecTopic.Derive(JsonElement.Parse(captured.Payload));
            Assert.Equal(captured.Topic, topic);
            Assert.Empty(SsecTopic.FindUnusualWords(topic));
        });
    }

    [Fact]
    public void Each_payload_of_the_vectors_gives_its_topic_or_its_error()
    {
        Assert.All(VectorFile.Read("topics.json", "derived"), vector =>
        {
            if (vector.TextOrNull("error") is { } error)
            {
                Assert.Equal(error, Assert.Throws<FormatException>(() => SsecTopic.Derive(vector.GetProperty("payload"))).Message);
            }
            else
            {
                string topic = SsecTopic.Derive(vector.GetProperty("payload"));
                Assert.Equal(vector.TextOrNull("topic"), topic);
                Assert.Equal(Unusual(vector), SsecTopic.FindUnusualWords(topic));
            }
        });
    }

    [Fact]
    public void Each_topic_of_the_vectors_is_judged_as_they_say()
    {
        Assert.All(VectorFile.Read("topics.json", "validated"), vector =>
        {
            string topic = vector.TextOrNull("topic")!;
            if (vector.TextOrNull("error") is { } error)
            {
                Assert.Equal(error, Assert.Throws<FormatException>(() => SsecTopic.FindUnusualWords(topic)).Message);
            }
            else
            {
                Assert.Equal(Unusual(vector), SsecTopic.FindUnusualWords(topic));
            }
        });
    }

    [Fact]
    public void A_payload_that_is_no_object_has_no_topic()
    {
        var refusal = Assert.Throws<FormatException>(() => SsecTopic.Derive(JsonElement.Parse("[1]"u8)));
        Assert.Equal("the payload is no JSON object: no topic can be derived", refusal.Message);
    }

    private static IEnumerable<string> Unusual(JsonElement vector) =>
        vector.TryGetProperty("unusual", out var texts) ? texts.EnumerateArray().Select(text => text.GetString()!) : [];
}
