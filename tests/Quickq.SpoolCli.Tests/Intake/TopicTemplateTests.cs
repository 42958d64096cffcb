using System.Text.Json;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Intake;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Intake;

/// <summary>Routing keys made from a payload: the vectors that the Python package shares (<c>tests/vectors/templates.json</c>).</summary>
public sealed class TopicTemplateTests
{
    private static readonly JsonElement Vectors = JsonElement.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "vectors", "templates.json")));

    [Fact]
    public void A_template_gives_the_key_that_the_vector_says()
    {
        var payload = Vectors.GetProperty("payload");
        Assert.All(Vectors.GetProperty("expanded").EnumerateArray(), vector =>
            Assert.Equal(vector.GetProperty("key").GetString(), TopicTemplate.Parse(vector.GetProperty("template").GetString()!).Expand(payload)));
    }

    [Fact]
    public void A_template_that_fails_says_what_the_vector_says()
    {
        var payload = Vectors.GetProperty("payload");
        Assert.All(Vectors.GetProperty("refused").EnumerateArray(), vector =>
        {
            var failure = Assert.Throws<CommandException>(() => TopicTemplate.Parse(vector.GetProperty("template").GetString()!).Expand(payload));
            Assert.Equal(vector.GetProperty("code").GetInt32(), (int)failure.Code);
            Assert.EndsWith(vector.GetProperty("error").GetString()!, failure.Message, StringComparison.Ordinal);
            Assert.NotNull(failure.Hint);
        });
    }

    [Theory]
    [InlineData("{band:y}")]
    [InlineData("{band!x}")]
    [InlineData("{band:.}")]
    public void A_wrong_specification_is_found_before_any_payload_is_read(string template) =>
        Assert.Equal(ExitCode.BadData, Assert.Throws<CommandException>(() => TopicTemplate.Parse(template)).Code);

    [Fact]
    public void Only_a_template_with_places_needs_a_payload()
    {
        Assert.False(TopicTemplate.Parse("a.{{b}}").HasPlaces);
        Assert.True(TopicTemplate.Parse("a.{b}").HasPlaces);
    }

    [Fact]
    public void The_topic_that_an_event_was_captured_with_is_found_in_all_2000()
    {
        var template = TopicTemplate.Parse("{__topic__}");
        Assert.Equal(2000, SsecEvents.All.Count);
        foreach (var captured in SsecEvents.All)
        {
            using var json = JsonDocument.Parse(captured.Payload);
            Assert.Equal(captured.Topic, template.Expand(json.RootElement));
        }
    }
}
