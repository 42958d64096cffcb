using Quickq.Agent.Settings;
using System.Runtime.InteropServices;

namespace Quickq.Agent;

/// <summary>Ends the process when a stop takes too long: a disk, a name server, a file system that hangs cannot be interrupted otherwise.</summary>
/// <remarks>
/// Everything that can wait has a limit of its own and ends before. Nothing is lost by an end at any moment: what is accepted is in the spool, and what was in flight is
/// sent again.
/// </remarks>
internal static partial class StopDeadline
{
    /// <summary>Since the signal. The promise is six seconds.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(5.5);

    private static readonly TimeSpan LastWord = TimeSpan.FromMilliseconds(100);
    private static int _begun;

    /// <summary>The time runs from now on. The first call counts.</summary>
    /// <param name="tell">Is told that the process ends now; must not wait.</param>
    public static void Begin(Action tell)
    {
        if (Interlocked.Exchange(ref _begun, 1) == 0)
        {
            // A thread of its own: those of the pool may be what hangs.
            new Thread(() => End(tell)) { IsBackground = true, Name = "stop deadline" }.Start();
        }
    }

    private static void End(Action tell)
    {
        using var never = new ManualResetEventSlim();
        never.Wait(Limit);
        tell();
        never.Wait(LastWord);
        EndAtOnce(ExitCode.Done);
    }

    // Not Environment.Exit, which runs handlers and finalizers, and so waits for what hangs.
    [LibraryImport("libc", EntryPoint = "_exit")]
    private static partial void EndAtOnce(int code);
}
