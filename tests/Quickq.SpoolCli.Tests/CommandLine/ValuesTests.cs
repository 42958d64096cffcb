using System.Globalization;
using Quickq.SpoolCli.CommandLine;

namespace Quickq.SpoolCli.Tests.CommandLine;

/// <summary>Values of options, as people write them.</summary>
public sealed class ValuesTests
{
    private static readonly FixedClock Clock = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));

    [Theory]
    [InlineData("2h", "2026-01-02T01:04:05Z")]
    [InlineData("0", "2026-01-02T03:04:05Z")]
    [InlineData("2026-01-01", "2026-01-01T00:00:00Z")]
    [InlineData("2026-01-01T10:30", "2026-01-01T10:30:00Z")]
    [InlineData("2026-01-01 10:30:15", "2026-01-01T10:30:15Z")]
    [InlineData("2026-01-01T10:30:15Z", "2026-01-01T10:30:15Z")]
    [InlineData("2026-01-01T10:30:15.123456Z", "2026-01-01T10:30:15.123456Z")]
    [InlineData("2026-01-01T10:30:15+02:00", "2026-01-01T08:30:15Z")]
    [InlineData("9999w", "1834-05-16T03:04:05Z")]
    [InlineData("900000w", "0001-01-01T00:00:00Z")]
    public void A_time_is_iso_8601_or_a_duration_back_from_now(string text, string expected) =>
        Assert.Equal(DateTimeOffset.Parse(expected, CultureInfo.InvariantCulture), Values.Instant("--since", text, Clock));

    [Theory]
    [InlineData("yesterday")]
    [InlineData("2026-13-01")]
    [InlineData("01/02/2026")]
    [InlineData("12")]
    [InlineData("")]
    public void What_is_no_time_is_wrong_use(string text) => AssertWrongUse("--since", () => Values.Instant("--since", text, Clock));

    [Theory]
    [InlineData("0")]
    [InlineData("0s")]
    [InlineData("30")]
    [InlineData("soon")]
    public void A_time_to_live_is_a_duration_longer_than_nothing(string text) =>
        AssertWrongUse("--ttl", () => Values.PositiveDuration("--ttl", text));

    [Theory]
    [InlineData("-1")]
    [InlineData("256")]
    [InlineData("1.0")]
    [InlineData("")]
    [InlineData("one")]
    public void A_priority_is_a_whole_number_in_its_range(string text) =>
        AssertWrongUse("--priority", () => Values.Whole("--priority", text, 0, 255));

    [Fact]
    public void A_pair_ends_its_name_at_the_first_equals_sign() =>
        Assert.Equal([new("a", "b=c"), new("d", "")], Values.Pairs("-m", ["a=b=c", "d="]));

    [Theory]
    [InlineData("novalue")]
    [InlineData("=x")]
    [InlineData("")]
    public void What_is_no_pair_is_wrong_use(string text) => AssertWrongUse("--header", () => Values.Pairs("--header", [text]));

    [Fact]
    public void A_name_given_twice_is_wrong_use() => AssertWrongUse("--header", () => Values.Pairs("--header", ["a=1", "a=2"]));

    [Fact]
    public void A_state_is_one_of_the_seven() => AssertWrongUse("--state", () => Values.State("--state", "Pending"));

    private static void AssertWrongUse(string option, Func<object?> read)
    {
        var failure = Assert.Throws<CommandException>(read);
        Assert.Equal(ExitCode.WrongUse, failure.Code);
        Assert.StartsWith(option, failure.Message, StringComparison.Ordinal);
    }

    private sealed class FixedClock(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
