using System.Globalization;
using System.Text.Json;
using Quickq.Bench.Contestants;

namespace Quickq.Bench.Comparisons;

/// <summary>Python's publish and publish_many against bare sqlite3 on each interpreter that is asked for: python_publish.py, in which they take turns.</summary>
internal static class PythonComparison
{
    public static async Task<Report> RunAsync(BenchOptions options)
    {
        string seconds = (options.Seconds ?? 20).ToString(CultureInfo.InvariantCulture);
        string batch = (options.Messages ?? 10_000).ToString(CultureInfo.InvariantCulture);
        IReadOnlyList<string> interpreters = options.Pythons.Count > 0 ? options.Pythons : [PythonScript.System];
        var figures = new List<Figures>();
        foreach (string interpreter in interpreters)
        {
            figures.Add(JsonSerializer.Deserialize<Figures>(await PythonScript.RunAsync("python_publish.py", ["--json", seconds, batch], interpreter))!);
        }

        return new Report(
            ["one durable message a transaction, two servers known", "bare `sqlite3`", "`publish`", "against bare", "`publish_many`", "against `publish`"],
            [.. figures.Select(each => (string[])[
                $"Python {each.Python}, SQLite {each.Sqlite}", Text(each.Bare), Text(each.Publish), Report.Number(each.Publish[1] / each.Bare[1], 2),
                Text(each.Many), Report.Number(each.Many[1] / each.Publish[1], 1)])],
            [.. figures.Select(each => Report.Goal($"Python {each.Python}: `publish` against bare `sqlite3`", each.Publish[1] / each.Bare[1], 0.8, atLeast: true)),
             .. figures.Select(each => Report.Goal($"Python {each.Python}: `publish_many` against `publish`", each.Many[1] / each.Publish[1], 10, atLeast: true, decimals: 1))]);
    }

    private static string Text(double[] rates) => $"{Report.Number(rates[1])}/s ({Report.Number(rates[0])} - {Report.Number(rates[2])})";

    /// <summary>Each rate as its tenth percentile, median and ninetieth.</summary>
    private sealed record Figures(string Python, string Sqlite, double[] Bare, double[] Publish, double[] Many);
}
