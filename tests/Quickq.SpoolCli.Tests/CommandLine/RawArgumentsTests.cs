using System.Text;
using Quickq.SpoolCli.CommandLine;

namespace Quickq.SpoolCli.Tests.CommandLine;

/// <summary>Arguments that were not UTF-8 are found in the bytes that the kernel keeps.</summary>
public sealed class RawArgumentsTests
{
    [Theory]
    [InlineData("quickq-spool\0add\0fine\0", 2, -1)]
    [InlineData("quickq-spool\0add\0b\u00FFd\0", 2, 1)]
    [InlineData("quickq-spool\0\u00C3\0\u00FF\0", 2, 0)]
    [InlineData("dotnet\0b\u00FFd.dll\0add\0fine\0", 2, -1)]
    [InlineData("quickq-spool\0add\0\0\u00FF\0", 3, 2)]
    [InlineData("quickq-spool\0add\0\u00EF\u00BF\u00BD\0", 2, -1)]
    public void The_first_invalid_one_of_ours_is_named(string latin1, int count, int expected) =>
        Assert.Equal(expected, RawArguments.FirstInvalid(Encoding.Latin1.GetBytes(latin1), count));
}
