using System.Runtime.InteropServices;

namespace Quickq.Spool.Files;

/// <summary>
/// Says that an agent runs on a spool: an fcntl record lock on <c>spool.db.agent</c>, which others can ask about without taking it
/// and which the kernel releases when the agent dies, however it dies.
/// </summary>
internal sealed class AgentLock : IDisposable
{
    // POSIX drops a process's record locks when it closes any descriptor of the file: this one is opened once and for nothing else.
    private readonly int _descriptor;

    private AgentLock(int descriptor) => _descriptor = descriptor;

    /// <summary>Takes the lock for this process; null, with the holder's process id, when another agent has it.</summary>
    public static AgentLock? TryTake(string resolvedSpool, out int? holder)
    {
        int descriptor = LockFile.Open(SpoolPath.AgentFile(resolvedSpool), resolvedSpool);
        var wanted = new Libc.RecordLock { Type = Libc.WriteLockType };
        while (Libc.ControlLock(descriptor, Libc.SetRecordLock, ref wanted) != 0)
        {
            int error = Marshal.GetLastPInvokeError();
            if (error == Libc.Interrupted)
            {
                continue;
            }

            holder = Ask(descriptor);
            Libc.Close(descriptor);
            return error is Libc.TryAgain or Libc.AccessDenied
                ? null
                : throw new SpoolException(SpoolFault.InputOutput, resolvedSpool, $"cannot lock {SpoolPath.AgentFile(resolvedSpool)}: {Libc.ErrorText(error)}");
        }

        holder = null;
        return new AgentLock(descriptor);
    }

    /// <summary>The process id of the agent that runs on this spool, or null. Must not be asked by the agent itself: closing would drop its lock.</summary>
    public static int? FindHolder(string resolvedSpool)
    {
        int descriptor = Libc.Open(SpoolPath.AgentFile(resolvedSpool), Libc.ReadWrite | Libc.CloseOnExec | Libc.NoFollow, 0);
        if (descriptor < 0)
        {
            return null;
        }

        int? holder = Ask(descriptor);
        Libc.Close(descriptor);
        return holder;
    }

    /// <summary>Whether an agent has ever run on this spool: it makes the file of its lock.</summary>
    public static bool WasEverTaken(string resolvedSpool) => FileStatus.Find(SpoolPath.AgentFile(resolvedSpool), out _) is not null;

    public void Dispose() => Libc.Close(_descriptor);

    private static int? Ask(int descriptor)
    {
        var question = new Libc.RecordLock { Type = Libc.WriteLockType };
        return Libc.ControlLock(descriptor, Libc.GetRecordLock, ref question) == 0 && question.Type != Libc.UnlockedType
            ? question.ProcessId
            : null;
    }
}
