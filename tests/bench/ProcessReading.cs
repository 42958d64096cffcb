using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Quickq.Bench;

/// <summary>What the kernel says about a process now, all its threads together.</summary>
/// <param name="At">On the monotonic clock.</param>
/// <param name="Processor">User and system time so far, of all threads that it ever had.</param>
/// <param name="Switches">Context switches that its living threads made by themselves: how often they went to sleep and were woken.</param>
/// <param name="ResidentBytes">Resident memory.</param>
/// <param name="PeakBytes">The highest it ever was.</param>
internal sealed partial record ProcessReading(TimeSpan At, TimeSpan Processor, long Switches, long ResidentBytes, long PeakBytes)
{
    // The kernel's clock of a process (CPUCLOCK_SCHED in clock_getcpuclockid): exact, where /proc/PID/stat counts timer ticks and so misses what works in short pieces.
    private const int SchedulerClock = 2;
    private const int ClockBits = 3;

    /// <summary>Reads /proc.</summary>
    public static ProcessReading Of(int pid)
    {
        long switches = Directory.EnumerateDirectories($"/proc/{pid}/task").Sum(task => Field($"{task}/status", "voluntary_ctxt_switches"));
        string status = $"/proc/{pid}/status";
        return new ProcessReading(
            Stopwatch.GetElapsedTime(0), ProcessorOf(pid), switches, Field(status, "VmRSS") * 1024, Field(status, "VmHWM") * 1024);
    }

    private static TimeSpan ProcessorOf(int pid) => ClockGetTime((~pid << ClockBits) | SchedulerClock, out Timespec time) == 0
        ? TimeSpan.FromSeconds(time.Seconds) + TimeSpan.FromMicroseconds(time.Nanoseconds / 1_000.0)
        : throw new InvalidOperationException($"process {pid} has no clock: errno {Marshal.GetLastPInvokeError()}");

    [LibraryImport("libc", EntryPoint = "clock_gettime", SetLastError = true)]
    private static partial int ClockGetTime(int clock, out Timespec time);

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

    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Timespec
    {
        public readonly long Seconds;
        public readonly long Nanoseconds;
    }
}
