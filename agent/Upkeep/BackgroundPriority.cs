using System.Runtime.InteropServices;

namespace Quickq.Agent.Upkeep;

/// <summary>Lets a thread have a tenth of what any other gets where they compete for a core. Linux gives each thread a niceness of its own.</summary>
internal static partial class BackgroundPriority
{
    private const int OfProcess = 0, CallingThread = 0, Low = 10;

    /// <summary>For the calling thread, to its end: it must be one of its own. Should the kernel refuse, it goes on as it was.</summary>
    public static void Take() => SetPriority(OfProcess, CallingThread, Low);

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, int who, int priority);
}
