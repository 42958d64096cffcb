using FsCheck;
using FsCheck.Fluent;
using Quickq.Spool;

namespace Quickq.Spool.Tests.Units;

public sealed class ByteSizeTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("1048576", 1_048_576)]
    [InlineData("512B", 512)]
    [InlineData("64KiB", 65_536)]
    [InlineData("64kib", 65_536)]
    [InlineData("64K", 65_536)]
    [InlineData("64kB", 64_000)]
    [InlineData("1.5MiB", 1_572_864)]
    [InlineData(" 10 GiB ", 10_737_418_240)]
    [InlineData("10GB", 10_000_000_000)]
    [InlineData("2T", 2_199_023_255_552)]
    [InlineData("9223372036854775807", long.MaxValue)]
    public void A_size_is_read_in_bytes(string text, long expected)
    {
        Assert.True(ByteSize.TryParse(text, out var bytes));
        Assert.Equal(expected, bytes);
        Assert.Equal(expected, ByteSize.Parse(text));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("GiB")]
    [InlineData("-1")]
    [InlineData("+1")]
    [InlineData("1,000")]
    [InlineData("1e3")]
    [InlineData("10 gigs")]
    [InlineData("10GiBB")]
    [InlineData("1.2.3K")]
    [InlineData("9223372036854775808")]
    [InlineData("8388608TiB")]
    [InlineData("99999999999999999999999999999999999999999")]
    public void What_is_not_a_size_is_refused(string? text)
    {
        Assert.False(ByteSize.TryParse(text, out var bytes));
        Assert.Equal(0, bytes);
    }

    [Fact]
    public void The_refusal_shows_how_a_size_is_written()
    {
        var refusal = Assert.Throws<FormatException>(() => ByteSize.Parse("lots"));
        Assert.Equal("'lots' is not a size; write for example 10GiB, 64KiB or 1048576", refusal.Message);
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(1000, "1000")]
    [InlineData(1536, "1536")]
    [InlineData(2048, "2KiB")]
    [InlineData(10_737_418_240, "10GiB")]
    public void A_size_is_written_in_the_largest_unit_without_a_fraction(long bytes, string expected) =>
        Assert.Equal(expected, ByteSize.Format(bytes));

    [Fact]
    public void Every_size_written_is_read_as_the_same() =>
        Prop.ForAll<long>(n =>
        {
            var bytes = n & long.MaxValue;
            foreach (var size in new[] { bytes, bytes >> 20 << 20, bytes >> 31 << 31 })
            {
                Assert.Equal(size, ByteSize.Parse(ByteSize.Format(size)));
            }
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void No_text_makes_it_throw() =>
        Prop.ForAll<string?>(text => ByteSize.TryParse(text, out var bytes) ? bytes >= 0 : bytes == 0).QuickCheckThrowOnFailure();
}
