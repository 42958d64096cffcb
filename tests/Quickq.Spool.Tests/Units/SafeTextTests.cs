namespace Quickq.Spool.Tests.Units;

/// <summary>Text is data: whatever it holds, the terminal and the log show it and do nothing else.</summary>
public sealed class SafeTextTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("geo.goes.g16 ~!\\", "geo.goes.g16 ~!\\")]
    [InlineData("é ✓ 🛰 日本語 العربية", "é ✓ 🛰 日本語 العربية")]
    [InlineData("a\r\n\tb", "a\\r\\n\\tb")]
    [InlineData("\e]0;title\a\e[2J", "\\u001b]0;title\\u0007\\u001b[2J")]
    [InlineData("\u0000\u007f\u009b", "\\u0000\\u007f\\u009b")]
    [InlineData("mq1\u202Edetcennoc", "mq1\\u202edetcennoc")]
    [InlineData("\u2066\u200B\uFEFF\u00AD", "\\u2066\\u200b\\ufeff\\u00ad")]
    [InlineData("a\u2028b\u2029c\u0085d", "a\\u2028b\\u2029c\\u0085d")]
    [InlineData("\U000E0041x", "\\U000e0041x")]
    public void It_stays_on_its_line_and_steers_nothing(string text, string shown) => Assert.Equal(shown, SafeText.OneLine(text));

    [Fact]
    public void Half_a_surrogate_pair_is_shown_as_what_it_is() =>
        Assert.Equal("a\\ud800b\\udc00", SafeText.OneLine("a" + (char)0xD800 + "b" + (char)0xDC00));

    [Fact]
    public void Lines_keep_their_ends_and_tabs_and_nothing_else() =>
        Assert.Equal("a\n\tb\\r\n\\u001b\\u202e", SafeText.Lines("a\n\tb\r\n\e\u202E"));

    [Fact]
    public void What_is_safe_is_not_copied()
    {
        string text = string.Concat("é", "x");
        Assert.Same(text, SafeText.OneLine(text));
    }

    /// <summary>Each scalar value of Unicode, once: none of the dangerous kinds comes through.</summary>
    [Fact]
    public void No_character_of_the_dangerous_kinds_comes_through()
    {
        for (int value = 0; value <= 0x10FFFF; value = value == 0xD7FF ? 0xE000 : value + 1)
        {
            string text = char.ConvertFromUtf32(value);
            bool kept = string.Equals(SafeText.OneLine(text), text, StringComparison.Ordinal);
            var category = System.Globalization.CharUnicodeInfo.GetUnicodeCategory(value);
            bool dangerous = category is System.Globalization.UnicodeCategory.Control or System.Globalization.UnicodeCategory.Format
                or System.Globalization.UnicodeCategory.LineSeparator or System.Globalization.UnicodeCategory.ParagraphSeparator;
            Assert.True(kept != dangerous, $"U+{value:X4}");
        }
    }
}
