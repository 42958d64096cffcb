using System.Diagnostics;
using System.Globalization;

namespace Quickq.Bench;

/// <summary>What the kernel says about a process now, all its threads together.</summary>
/// <param name="At">On the monotonic clock.</param>
/// <param name="Processor">User and system time so far, in steps of 10 ms.</param>
/// <param name="Switches">Context switches that its living threads made by themselves: how often they went to sleep and were woken.</param>
/// <param name="ResidentBytes">Resident memory.</param>
/// <param name="PeakBytes">The highest it ever was.</param>
internal sealed record ProcessReading(TimeSpan At, TimeSpan Processor, long Switches, long ResidentBytes, long PeakBytes)
{
    private const double TicksPerSecond = 100;

    /// <summary>Reads /proc.</summary>
    public static ProcessReading Of(int pid)
    {
        // The name of the program, in parentheses, may hold anything; utime and stime are the 12th and 13th field behind it.
        string[] stat = File.ReadAllText($"/proc/{pid}/stat").Split(") ")[^1].Split(' ');
        double ticks = double.Parse(stat[11], CultureInfo.InvariantCulture) + double.Parse(stat[12], CultureInfo.InvariantCulture);
        long switches = Directory.EnumerateDirectories($"/proc/{pid}/task").Sum(task => Field($"{task}/status", "voluntary_ctxt_switches"));
        string status = $"/proc/{pid}/status";
        return new ProcessReading(
            Stopwatch.GetElapsedTime(0), TimeSpan.FromSeconds(ticks / TicksPerSecond), switches, Field(status, "VmRSS") * 1024, Field(status, "VmHWM") * 1024);
    }

    private static long Field(string file, string name)
    {
        try
        {
            string line = File.ReadLines(file).First(line => line.StartsWith(name + ":", StringComparison.Ordinal));
            return long.Parse(line.Split(':', 2)[1].Replace("kB", "", StringComparison.Ordinal), NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0; // a thread that ended just now
        }
    }
}
