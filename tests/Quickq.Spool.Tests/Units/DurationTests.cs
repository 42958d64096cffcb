using FsCheck;
using FsCheck.Fluent;
using Quickq.Spool;

namespace Quickq.Spool.Tests.Units;

public sealed class DurationTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("0s", 0)]
    [InlineData("250us", 0.00025)]
    [InlineData("500ms", 0.5)]
    [InlineData("30s", 30)]
    [InlineData("0.5s", 0.5)]
    [InlineData("5m", 300)]
    [InlineData("5min", 300)]
    [InlineData("2h", 7_200)]
    [InlineData("7d", 604_800)]
    [InlineData("1w", 604_800)]
    [InlineData("1h30m", 5_400)]
    [InlineData(" 1 h 30 min ", 5_400)]
    public void A_duration_is_read(string text, double seconds)
    {
        Assert.True(Duration.TryParse(text, out var duration));
        Assert.Equal(TimeSpan.FromSeconds(seconds), duration);
        Assert.Equal(duration, Duration.Parse(text));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("30")]
    [InlineData("s")]
    [InlineData("-5s")]
    [InlineData("5S")]
    [InlineData("5 seconds")]
    [InlineData("30m1h")]
    [InlineData("1h1h")]
    [InlineData("1m1min")]
    [InlineData("1h30")]
    [InlineData("1..5s")]
    [InlineData("1e3s")]
    [InlineData("11000000d")]
    [InlineData("99999999999999999999999999999999999s")]
    public void What_is_not_a_duration_is_refused(string? text)
    {
        Assert.False(Duration.TryParse(text, out var duration));
        Assert.Equal(TimeSpan.Zero, duration);
    }

    [Fact]
    public void The_refusal_shows_how_a_duration_is_written()
    {
        var refusal = Assert.Throws<FormatException>(() => Duration.Parse("30"));
        Assert.Equal("'30' is not a duration; write for example 30s, 7d, 500ms or 1h30m", refusal.Message);
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(0.5, "500ms")]
    [InlineData(90, "1m30s")]
    [InlineData(5_400, "1h30m")]
    [InlineData(604_800, "7d")]
    public void A_duration_is_written_from_days_downwards(double seconds, string expected) =>
        Assert.Equal(expected, Duration.Format(TimeSpan.FromSeconds(seconds)));

    [Fact]
    public void Every_duration_written_is_read_as_the_same() =>
        Prop.ForAll<long>(n =>
        {
            var ticks = n & long.MaxValue;
            foreach (var span in new[] { ticks, ticks >> 12, ticks >> 32 })
            {
                var duration = TimeSpan.FromMicroseconds(span / TimeSpan.TicksPerMicrosecond);
                Assert.Equal(duration, Duration.Parse(Duration.Format(duration)));
            }
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void No_text_makes_it_throw() =>
        Prop.ForAll<string?>(text => Duration.TryParse(text, out var span) ? span >= TimeSpan.Zero : span == TimeSpan.Zero)
            .QuickCheckThrowOnFailure();
}
