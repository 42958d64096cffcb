using System.Globalization;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>What the kernel counts for an agent that is at rest: descriptors, sockets among them, threads, resident memory.</summary>
/// <remarks>
/// Not counted is the program itself: the runtime keeps a descriptor or two for each assembly, some 150 together, on the assembly's file or on the one
/// file of a packaged program, and opens another whenever code first needs it.
/// </remarks>
internal sealed record AgentResources(int Descriptors, int Sockets, int Threads, long ResidentKibibytes)
{
    /// <summary>Threads of the pool, and the resolver's, come and go; descriptors of files that are open for a moment.</summary>
    private const int Fluctuation = 8;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <summary>Reads them once they are the same twice in a row, a second apart: what is being closed is closed then.</summary>
    public static async Task<AgentResources> ReadAsync(int pid)
    {
        var before = Read(pid);
        await Eventually.Is("descriptors and sockets of the agent are at rest", Limit, async () =>
        {
            await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System);
            var (now, last) = (Read(pid), before);
            before = now;
            return (now.Descriptors, now.Sockets) == (last.Descriptors, last.Sockets);
        });
        return before;
    }

    /// <summary>The most memory that it ever had resident.</summary>
    public static long PeakKibibytes(int pid) => Number(pid, "VmHWM:");

    /// <summary>Fails if anything has grown beyond what comes and goes; memory by more than a tenth in a long run, where what is warmed up is warm.</summary>
    public void MustNotHaveGrownSince(AgentResources early, bool longRun)
    {
        Assert.InRange(Sockets, 0, early.Sockets);
        Assert.InRange(Descriptors, 0, early.Descriptors + Fluctuation);
        Assert.InRange(Threads, 0, early.Threads + Fluctuation);
        Assert.InRange(ResidentKibibytes, 0, (long)(early.ResidentKibibytes * (longRun ? 1.1 : 1.5)));
    }

    private static AgentResources Read(int pid)
    {
        var program = new FileInfo($"/proc/{pid}/exe").LinkTarget!;
        string[] opened =
        [
            .. Directory.GetFiles($"/proc/{pid}/fd").Select(descriptor => new FileInfo(descriptor).LinkTarget ?? "")
                .Where(target => !target.EndsWith(".dll", StringComparison.Ordinal) && !string.Equals(target, program, StringComparison.Ordinal)),
        ];
        return new AgentResources(
            opened.Length, opened.Count(target => target.StartsWith("socket:", StringComparison.Ordinal)), Number(pid, "Threads:"), Number(pid, "VmRSS:"));
    }

    private static int Number(int pid, string field) => int.Parse(
        File.ReadLines($"/proc/{pid}/status").Single(line => line.StartsWith(field, StringComparison.Ordinal))[field.Length..].Replace("kB", "", StringComparison.Ordinal),
        NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite | NumberStyles.None, CultureInfo.InvariantCulture);
}
