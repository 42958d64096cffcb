using Quickq.Testing;

namespace Quickq.Bench;

/// <summary>Puts a table between its two marks in docs/performance.md; the text around them is written by hand.</summary>
internal static class PerformancePage
{
    private static readonly string Page = Path.GetFullPath(Path.Combine(BuiltPrograms.PythonPackage, "..", "docs", "performance.md"));

    /// <summary>Replaces what stands between <c>&lt;!-- NAME --&gt;</c> and <c>&lt;!-- end of NAME --&gt;</c>.</summary>
    public static void Replace(string name, Report report)
    {
        (string begin, string end) = ($"<!-- {name} -->", $"<!-- end of {name} -->");
        string text = File.ReadAllText(Page);
        int from = text.IndexOf(begin, StringComparison.Ordinal) + begin.Length;
        int to = text.IndexOf(end, StringComparison.Ordinal);
        if (from < begin.Length || to < from)
        {
            throw new InvalidOperationException($"{Page} has no place for the table: it needs the lines {begin} and {end}");
        }

        File.WriteAllText(Page, $"{text[..from]}\n{report.ToMarkdown()}{text[to..]}");
    }
}
