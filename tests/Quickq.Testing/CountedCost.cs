using Xunit;

namespace Quickq.Testing;

/// <summary>A guard against gross regressions by what can be counted: no clock, so no slow machine, makes it fail.</summary>
public static class CountedCost
{
    /// <summary>Requires that a count is not more than a quarter above the one that was seen when the guard was made.</summary>
    /// <param name="what">What is counted.</param>
    /// <param name="counted">Now.</param>
    /// <param name="before">Then.</param>
    public static void RequireAtMost(string what, long counted, long before) =>
        Assert.True(counted <= before * 5 / 4, $"{what}: {counted}, it was {before}. If that is the price of something worth it, write the new figure into the test.");
}
