using System.Text;
using Quickq.SpoolCli.Intake;

namespace Quickq.SpoolCli.Tests.Intake;

/// <summary>What counts as JSON.</summary>
public sealed class JsonTextTests
{
    [Theory]
    [InlineData("{}", true)]
    [InlineData(" \r\n\t[1, 2] \n", true)]
    [InlineData("""{"a":"é","b":"\ud83d"}""", true)]
    [InlineData("42", false)]
    [InlineData("\"text\"", false)]
    [InlineData("null", false)]
    [InlineData("", false)]
    [InlineData("  ", false)]
    [InlineData("{", false)]
    [InlineData("{}{}", false)]
    [InlineData("{} x", false)]
    [InlineData("{'a':1}", false)]
    [InlineData("{\"a\":1,}", false)]
    [InlineData("[NaN]", false)]
    [InlineData("// c\n{}", false)]
    [InlineData("\uFEFF{}", false)]
    public void The_content_type_is_json_for_exactly_one_object_or_array(string text, bool expected) =>
        Assert.Equal(expected, JsonText.IsObjectOrArray(Encoding.UTF8.GetBytes(text)));

    [Fact]
    public void Bytes_that_are_not_utf8_are_not_json() =>
        Assert.False(JsonText.IsObjectOrArray([(byte)'[', (byte)'"', 0xFF, (byte)'"', (byte)']']));

    [Fact]
    public void Depth_does_not_make_good_json_bad() =>
        Assert.Null(JsonText.Fault(Encoding.UTF8.GetBytes(new string('[', 10_000) + new string(']', 10_000))));

    [Theory]
    [InlineData("42")]
    [InlineData("\"text\"")]
    [InlineData("null")]
    public void Any_one_value_is_a_json_text(string text) => Assert.Null(JsonText.Fault(Encoding.UTF8.GetBytes(text)));

    [Fact]
    public void A_fault_is_told_with_its_line_and_byte_counted_from_one() =>
        Assert.StartsWith("line 2, byte 5: ", JsonText.Fault("{\n\"a\":x}"u8), StringComparison.Ordinal);
}
