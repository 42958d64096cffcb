using System.Runtime.InteropServices;

namespace Quickq.Agent.Settings;

/// <summary>Keeps the passwords in this process's memory out of files and other processes.</summary>
internal static partial class ProcessHardening
{
    private const int SetDumpable = 4;

    /// <summary>
    /// From now on the kernel writes no core of this process, whatever the limits say and whoever collects them, and lets no process of
    /// the same user (but root) read its memory or its environment. A password that was in use cannot be wiped: the client library keeps texts.
    /// </summary>
    public static void DisableCoreDumps() => _ = ProcessControl(SetDumpable, 0, 0, 0, 0);

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    private static partial int ProcessControl(int option, nuint value, nuint unused3, nuint unused4, nuint unused5);
}
