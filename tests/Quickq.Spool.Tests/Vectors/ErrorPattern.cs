using System.Text.RegularExpressions;

namespace Quickq.Spool.Tests.Vectors;

/// <summary>What an error of a vector looks like: <c>{path}</c> stands for the spool's path, <c>{size}</c> for any size.</summary>
internal static class ErrorPattern
{
    public static string For(string error, string path)
    {
        string known = Regex.Escape(error.Replace("{path}", path, StringComparison.Ordinal));
        return "^" + Regex.Replace(known, @"\\\{[a-z]+}", "[0-9.]+ ([KMG]iB|bytes)", RegexOptions.None, TimeSpan.FromSeconds(1)) + "$";
    }
}
