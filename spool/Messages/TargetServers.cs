namespace Quickq.Spool;

/// <summary>The names of the servers that a message is for, as the column <c>servers</c> has them: NULL for all, else between single spaces (<c>' mq1 mq2 '</c>).</summary>
internal static class TargetServers
{
    /// <summary>Characters of one name.</summary>
    public const int MaxLength = 255;

    /// <summary>The stored form: sorted, each once.</summary>
    public static string? Store(IReadOnlyList<string>? names) =>
        names is null ? null : $" {string.Join(' ', names.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))} ";

    /// <summary>What is stored, as names.</summary>
    public static IReadOnlyList<string>? Read(string? stored) => stored?.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Whether both name the same servers.</summary>
    public static bool AreSame(string? stored, IReadOnlyList<string>? names) => string.Equals(Store(Read(stored)), Store(names), StringComparison.Ordinal);

    /// <summary>Whether a server may have this name.</summary>
    public static bool IsName(string? name) => name is { Length: > 0 and <= MaxLength } && !name.Any(character => character == ' ' || char.IsControl(character));
}
