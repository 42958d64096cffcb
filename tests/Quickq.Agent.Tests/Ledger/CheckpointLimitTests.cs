using Quickq.Agent.Ledger;

namespace Quickq.Agent.Tests.Ledger;

/// <summary>A checkpoint that held the lock for long makes the next ones smaller; short ones let them grow again.</summary>
public sealed class CheckpointLimitTests
{
    private const long Mebibyte = 1 << 20;

    [Theory]
    [InlineData(8, new int[0])]
    [InlineData(8, new[] { 10, 5, 1 })]
    [InlineData(4, new[] { 16 })]
    [InlineData(1, new[] { 16, 16, 16, 16, 500 })]
    [InlineData(4, new[] { 16, 10, 3 })]
    [InlineData(8, new[] { 11, 11, 2, 2, 2 })]
    public void It_halves_after_a_long_one_and_doubles_after_a_short_one_within_its_bounds(int expectedMebibytes, int[] heldMilliseconds)
    {
        var limit = new CheckpointLimit();

        foreach (int held in heldMilliseconds)
        {
            limit.Note(TimeSpan.FromMilliseconds(held));
        }

        Assert.Equal(expectedMebibytes * Mebibyte, limit.Bytes);
    }
}
