using System.Text.Json;
using System.Text.RegularExpressions;

namespace Quickq.Spool.Tests.Vectors;

/// <summary>The vectors that the C# library and the Python package share (<c>tests/vectors</c>).</summary>
internal static class VectorFile
{
    public static JsonElement Read(string name)
    {
        using var document = JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "vectors", name)));
        return document.RootElement.Clone();
    }

    public static IReadOnlyList<JsonElement> Read(string name, string list) => [.. Read(name).GetProperty(list).EnumerateArray()];

    /// <summary>A member's text, half a surrogate pair included, or null.</summary>
    public static string? TextOrNull(this JsonElement owner, string member)
    {
        if (!owner.TryGetProperty(member, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        return value.Text();
    }

    public static string Text(this JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            return Regex.Unescape(value.GetRawText()[1..^1]); // half a surrogate pair has no other way in
        }
    }
}
