using Quickq.SpoolCli.CommandLine;

namespace Quickq.SpoolCli.Tests.CommandLine;

/// <summary>Guesses at mistyped words.</summary>
public sealed class SpellingTests
{
    private static readonly string[] Verbs = ["add", "status", "list", "show", "wait"];

    [Theory]
    [InlineData("stauts", "status")]
    [InlineData("stat", "status")]
    [InlineData("lst", "list")]
    [InlineData("shwo", "show")]
    [InlineData("statuss", "status")]
    [InlineData("publish", null)]
    [InlineData("", null)]
    public void The_nearest_word_is_proposed_if_it_is_near(string typed, string? expected) =>
        Assert.Equal(expected, Spelling.Nearest(typed, Verbs));

    [Theory]
    [InlineData("", "", 0)]
    [InlineData("abc", "acb", 1)]
    [InlineData("abc", "ab", 1)]
    [InlineData("abc", "xyz", 3)]
    public void Distance_counts_edits_and_swaps(string a, string b, int expected) => Assert.Equal(expected, Spelling.Distance(a, b));
}
