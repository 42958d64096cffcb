using System.Text.Json;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Intake;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Intake;

/// <summary>Routing keys made from a payload.</summary>
public sealed class TopicTemplateTests
{
    private const string Payload = """
        {"satellite_ID":"G16","n":2.50,"big":12345678901234567890,"t":true,"f":false,"nil":null,"o":{"b":"deep","c":{"d":"er"}},"l":["x",7],"":"e",
         "dup":"first","dup":"last","a.b":"dotted","half":"\ud83d","u":"\u00e9"}
        """;

    [Theory]
    [InlineData("plain.key", "plain.key")]
    [InlineData("", "")]
    [InlineData("{satellite_ID}.reserved", "G16.reserved")]
    [InlineData("{satellite_ID}{n}", "G162.50")]
    [InlineData("{big}", "12345678901234567890")]
    [InlineData("{t}.{f}", "true.false")]
    [InlineData("{o[b]}", "deep")]
    [InlineData("{o[c][d]}", "er")]
    [InlineData("{l[0]}.{l[1]}", "x.7")]
    [InlineData("{dup}", "last")]
    [InlineData("{a.b}", "dotted")]
    [InlineData("{u}", "é")]
    [InlineData("{{{n}}}", "{2.50}")]
    [InlineData("{{n}}", "{n}")]
    [InlineData("a{{b", "a{b")]
    public void A_place_stands_for_a_member(string template, string expected)
    {
        using var json = JsonDocument.Parse(Payload);
        Assert.Equal(expected, TopicTemplate.Parse(template).Expand(json.RootElement));
    }

    [Theory]
    [InlineData("{missing}", "no 'missing'")]
    [InlineData("{nil}", "null")]
    [InlineData("{o}", "an object")]
    [InlineData("{l}", "an array")]
    [InlineData("{l[2]}", "no '2'")]
    [InlineData("{l[-1]}", "no '-1'")]
    [InlineData("{n[x]}", "no 'x'")]
    [InlineData("{o[missing]}", "no 'missing'")]
    [InlineData("{half}", "half a character")]
    public void A_place_without_a_value_is_bad_data_that_names_it(string template, string named)
    {
        using var json = JsonDocument.Parse(Payload);
        var failure = Assert.Throws<CommandException>(() => TopicTemplate.Parse(template).Expand(json.RootElement));
        Assert.Equal(ExitCode.BadData, failure.Code);
        Assert.Contains(template, failure.Message, StringComparison.Ordinal);
        Assert.Contains(named, failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{a")]
    [InlineData("a}")]
    [InlineData("{}")]
    [InlineData("{a[]}")]
    [InlineData("{a[b}")]
    [InlineData("{[b]}")]
    [InlineData("{a[b]c}")]
    [InlineData("{a{b}")]
    [InlineData("}{")]
    public void A_broken_template_is_wrong_use(string template)
    {
        var failure = Assert.Throws<CommandException>(() => TopicTemplate.Parse(template));
        Assert.Equal(ExitCode.WrongUse, failure.Code);
    }

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
