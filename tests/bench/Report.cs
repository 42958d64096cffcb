using System.Globalization;
using System.Text;

namespace Quickq.Bench;

/// <summary>The table of one comparison, and what there is to say under it.</summary>
internal sealed record Report(IReadOnlyList<string> Header, IReadOnlyList<IReadOnlyList<string>> Rows, params IReadOnlyList<string> Notes)
{
    /// <summary>Command, machine, versions, date, load.</summary>
    public string Caption { get; init; } = "";

    public string ToMarkdown()
    {
        var text = new StringBuilder();
        text.AppendLine(Caption).AppendLine();
        AppendRow(text, Header);
        AppendRow(text, [.. Header.Select(_ => "---")]);
        foreach (IReadOnlyList<string> row in Rows)
        {
            AppendRow(text, row);
        }

        foreach (string note in Notes)
        {
            text.AppendLine().AppendLine(note);
        }

        return text.ToString();
    }

    /// <summary>A number with its thousands apart.</summary>
    public static string Number(double value, int decimals = 0) => value.ToString("N" + decimals.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);

    /// <summary>A ratio beside its goal: met or missed.</summary>
    public static string Goal(string what, double value, double goal, bool atLeast, int decimals = 2)
    {
        bool met = atLeast ? value >= goal : value <= goal;
        return $"{what}: **{Number(value, decimals)}** (goal {(atLeast ? "at least" : "at most")} {Number(goal, decimals)}: {(met ? "met" : "missed")})";
    }

    private static void AppendRow(StringBuilder text, IReadOnlyList<string> cells) => text.Append("| ").AppendJoin(" | ", cells).AppendLine(" |");
}
