namespace Quickq.Spool.Files;

/// <summary>What is mounted where, for kernels that do not say it of a single file (before 5.8).</summary>
internal static class MountTable
{
    private const int MountPointField = 4;

    /// <summary>Whether something is mounted on exactly this path, links followed.</summary>
    public static bool Contains(string resolved)
    {
        string escaped = resolved.Replace("\\", "\\134", StringComparison.Ordinal).Replace(" ", "\\040", StringComparison.Ordinal)
            .Replace("\t", "\\011", StringComparison.Ordinal).Replace("\n", "\\012", StringComparison.Ordinal);
        return File.ReadLines("/proc/self/mountinfo").Any(line => string.Equals(line.Split(' ').ElementAtOrDefault(MountPointField), escaped, StringComparison.Ordinal));
    }
}
