using System.Text;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Intake;

namespace Quickq.SpoolCli.Tests.Intake;

/// <summary>Metadata merged into a JSON object.</summary>
public sealed class JsonMembersTests
{
    [Theory]
    [InlineData("{}", "a=b", """{"a":"b"}""")]
    [InlineData(""" { "x" : 1.0 } """, "a=b", """{"x" : 1.0,"a":"b"}""")]
    [InlineData("""{"a":1,"b":{"a":2}}""", "a=new", """{"a":"new","b":{"a":2}}""")]
    [InlineData("""{"a":1,"b":2,"a":3}""", "a=new", """{"a":"new","b":2}""")]
    [InlineData("""{"\u0061":1}""", "a=new", """{"a":"new"}""")]
    [InlineData("""{"s":"\ud83d","n":1e400,"big":123456789012345678901234567890}""", "k=v",
        """{"s":"\ud83d","n":1e400,"big":123456789012345678901234567890,"k":"v"}""")]
    [InlineData("{}", "q=say \"hi\" é", """{"q":"say \"hi\" é"}""")]
    [InlineData("""{"l":[{"a":1}]}""", "empty=", """{"l":[{"a":1}],"empty":""}""")]
    public void A_member_is_replaced_in_place_or_added_and_the_rest_keeps_its_bytes(string payload, string pair, string expected) =>
        Assert.Equal(expected, Merge(payload, pair));

    [Theory]
    [InlineData("[1]")]
    [InlineData("42")]
    [InlineData("text")]
    [InlineData("")]
    [InlineData("{\"a\":1")]
    public void Only_an_object_can_take_members(string payload)
    {
        var failure = Assert.Throws<CommandException>(() => Merge(payload, "a=b"));
        Assert.Equal(ExitCode.BadData, failure.Code);
    }

    private static string Merge(string payload, params string[] pairs) =>
        Encoding.UTF8.GetString(JsonMembers.Merge(Encoding.UTF8.GetBytes(payload), Values.Pairs("-m", pairs)).Span);
}
