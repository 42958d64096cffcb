using Quickq.Spool;
using Quickq.SpoolCli.Output;

namespace Quickq.SpoolCli.Tests.Output;

/// <summary>Times and numbers as they are shown.</summary>
public sealed class TimeTests
{
    [Fact]
    public void A_time_for_programs_has_six_digits_and_is_utc() =>
        Assert.Equal("2026-01-02T01:04:05.000006Z", Time.Exact(new DateTimeOffset(2026, 1, 2, 3, 4, 5, 0, 6, TimeSpan.FromHours(2))));

    [Theory]
    [InlineData(-5, "0s")]
    [InlineData(0.2, "<1s")]
    [InlineData(59.9, "59s")]
    [InlineData(252, "4m 12s")]
    [InlineData(3 * 3600 + 65, "3h 1m")]
    [InlineData(2 * 86400 + 4 * 3600, "2d 4h")]
    [InlineData(2000.0 * 86400, "2000d")]
    public void A_span_is_told_in_its_two_largest_units(double seconds, string expected) =>
        Assert.Equal(expected, Time.Span(TimeSpan.FromSeconds(seconds)));

    [Theory]
    [InlineData(0, "0 bytes")]
    [InlineData(1023, "1023 bytes")]
    [InlineData(5_452_595, "5.2 MiB")]
    public void A_size_is_told_as_people_say_it(long bytes, string expected) => Assert.Equal(expected, ByteSize.Describe(bytes));
}
