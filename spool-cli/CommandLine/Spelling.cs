namespace Quickq.SpoolCli.CommandLine;

/// <summary>Guesses which known word a mistyped one was meant to be.</summary>
internal static class Spelling
{
    /// <summary>The nearest known word, or null when none is near enough to be worth proposing.</summary>
    public static string? Nearest(string typed, IEnumerable<string> known)
    {
        string? best = null;
        var bare = typed.TrimStart('-');
        var bestDistance = typed.Length <= 4 ? 2 : 3;
        foreach (var word in known)
        {
            // '-x' is near every other short option: only words are worth a guess, and '-topic' for '--topic'.
            var distance = word.Length <= 2 || typed.Length <= 2 ? int.MaxValue
                : bare.Length > 0 && word.TrimStart('-').StartsWith(bare, StringComparison.Ordinal) ? 1
                : Distance(typed, word);
            if (distance < bestDistance)
            {
                (best, bestDistance) = (word, distance);
            }
        }

        return best;
    }

    /// <summary>Edits between two words: insertions, deletions, replacements and swaps of neighbours.</summary>
    internal static int Distance(string a, string b)
    {
        var cost = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
        {
            for (var j = 0; j <= b.Length; j++)
            {
                cost[i, j] = i == 0 || j == 0
                    ? i + j
                    : Math.Min(
                        Math.Min(cost[i - 1, j], cost[i, j - 1]) + 1,
                        cost[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    cost[i, j] = Math.Min(cost[i, j], cost[i - 2, j - 2] + 1);
                }
            }
        }

        return cost[a.Length, b.Length];
    }
}
