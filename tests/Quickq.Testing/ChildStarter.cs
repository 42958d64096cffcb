using System.Collections.Concurrent;
using System.Diagnostics;

namespace Quickq.Testing;

/// <summary>Starts every child process on one thread that lives as long as the test process does.</summary>
/// <remarks>
/// Children ask the kernel to be killed when their parent dies (prctl PDEATHSIG, set by setpriv), so that a test run that
/// crashes or is killed leaves no broker behind. The kernel sends that signal when the starting <em>thread</em> ends, and
/// threads of the pool come and go: hence a thread of their own.
/// </remarks>
internal static class ChildStarter
{
    private static readonly BlockingCollection<Action> Requests = [];

    static ChildStarter()
    {
        new Thread(Serve) { IsBackground = true, Name = "child starter" }.Start();
    }

    public static Process Start(ProcessStartInfo command)
    {
        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        Requests.Add(() =>
        {
            try
            {
                started.SetResult(Process.Start(command) ?? throw new InvalidOperationException($"{command.FileName} did not start"));
            }
            catch (Exception failure) when (failure is System.ComponentModel.Win32Exception or InvalidOperationException)
            {
                started.SetException(failure);
            }
        });
        return started.Task.GetAwaiter().GetResult();
    }

    private static void Serve()
    {
        foreach (var request in Requests.GetConsumingEnumerable())
        {
            request();
        }
    }
}
