using System.Globalization;
using Quickq.Testing;

namespace Quickq.Bench;

/// <summary>How often a process calls the kernel, counted by strace, which makes it slow meanwhile.</summary>
internal static class CallCount
{
    private const int Interrupt = 2;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>All threads together, for so long.</summary>
    public static async Task<int> OfAsync(int pid, TimeSpan time)
    {
        using ChildProcess strace = ChildProcess.Start("strace", ["-c", "-f", "-p", pid.ToString(CultureInfo.InvariantCulture)]);
        await Eventually.Is("strace is attached", Limit, () => strace.Stderr.Contains("attached", StringComparison.Ordinal));
        await Task.Delay(time, TimeProvider.System);
        strace.Signal(Interrupt);
        await strace.WaitForExitAsync(Limit);
        return Sum(strace.Stderr);
    }

    /// <summary>The fourth column of the summary: share of the time, seconds, microseconds a call, calls, errors, name.</summary>
    private static int Sum(string summary) => summary.Split('\n').Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        .Where(columns => columns.Length >= 5 && double.TryParse(columns[0], CultureInfo.InvariantCulture, out _) && columns[^1] is not "total")
        .Sum(columns => int.Parse(columns[3], CultureInfo.InvariantCulture));
}
