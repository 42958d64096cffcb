using System.Text;
using Quickq.SpoolCli.Intake;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Intake;

/// <summary>Lines out of a stream that arrives in pieces.</summary>
public sealed class LineSplitterTests
{
    [Theory]
    [InlineData("a\nb\n", "a|b")]
    [InlineData("a\r\nb", "a|b")]
    [InlineData("a\n\n\r\nb\n", "a|||b")]
    [InlineData("a\rb\n", "a\rb")]
    [InlineData("a\r\r\n", "a\r")]
    [InlineData("a\r", "a\r")]
    [InlineData("\n", "")]
    public void A_line_ends_with_a_newline_or_carriage_return_and_newline(string text, string expected) =>
        Assert.Equal(expected, string.Join('|', Split([Encoding.UTF8.GetBytes(text)])));

    [Fact]
    public void It_does_not_matter_where_the_pieces_are_cut()
    {
        var text = Encoding.UTF8.GetBytes(string.Join('\n', Enumerable.Range(0, 50).Select(i => new string('é', i % 7) + (i % 3 == 0 ? "\r" : ""))));
        var whole = Split([text]);
        for (var i = 0; i < 200; i++)
        {
            var (first, second) = (Some.Number(0, text.Length), Some.Number(0, text.Length));
            var (low, high) = (Math.Min(first, second), Math.Max(first, second));
            Assert.Equal(whole, Split([text[..low], text[low..high], text[high..]]));
        }
    }

    private static List<string> Split(IEnumerable<byte[]> pieces)
    {
        var splitter = new LineSplitter();
        var lines = new List<string>();
        foreach (var piece in pieces)
        {
            ReadOnlySpan<byte> rest = piece;
            while (splitter.TryTake(ref rest, out var line))
            {
                lines.Add(Encoding.UTF8.GetString(line.Span));
            }
        }

        if (splitter.HasUnfinishedLine)
        {
            lines.Add(Encoding.UTF8.GetString(splitter.TakeUnfinished().Span));
        }

        Assert.Equal(lines.Count, splitter.LineNumber);
        return lines;
    }
}
