using System.Globalization;
using System.Runtime.InteropServices;
using Quickq.SpoolCli.CommandLine;

namespace Quickq.SpoolCli.Service;

/// <summary>Starts and ends processes with the calls of the C library: .NET's own give a command pipes, each of which costs a thread.</summary>
internal static partial class ServiceProcess
{
    private const int OpaqueLength = 1024; // posix_spawn_file_actions_t has 80 bytes, posix_spawnattr_t 336
    private const int SignalSetLength = 128;
    private const short SetSignalDefaults = 4, SetSignalMask = 8;
    private const int ByProcess = 1, Exited = 4, LeaveWaitable = 0x0100_0000;
    private const int Interrupted = 4, SetParentDeathSignal = 1;

    /// <summary>Starts a program with all signals as by default; returns the error, or 0.</summary>
    public static unsafe int Spawn(string program, string[] arguments, string[] environment, int[] standardStreams, out int pid)
    {
        byte* actions = stackalloc byte[OpaqueLength];
        byte* attributes = stackalloc byte[OpaqueLength];
        byte* allSignals = stackalloc byte[SignalSetLength];
        byte* noSignals = stackalloc byte[SignalSetLength];
        new Span<byte>(allSignals, SignalSetLength).Fill(0xff);
        new Span<byte>(noSignals, SignalSetLength).Clear();
        InitActions(actions);
        InitAttributes(attributes);
        SetFlags(attributes, SetSignalDefaults | SetSignalMask);
        SetDefaults(attributes, allSignals);
        SetMask(attributes, noSignals);
        for (int number = 0; number < standardStreams.Length; number++)
        {
            AddDuplicate(actions, standardStreams[number], number);
        }

        nint[] argv = [.. arguments.Select(Marshal.StringToCoTaskMemUTF8), 0];
        nint[] envp = [.. environment.Select(Marshal.StringToCoTaskMemUTF8), 0];
        fixed (nint* argvPointer = argv, envpPointer = envp)
        {
            int error = Spawn(out pid, program, actions, attributes, argvPointer, envpPointer);
            DestroyActions(actions);
            DestroyAttributes(attributes);
            Array.ForEach([.. argv, .. envp], Marshal.FreeCoTaskMem);
            return error;
        }
    }

    /// <summary>Returns when the child has ended; it is still there to be reaped.</summary>
    public static unsafe void AwaitEnd(int pid)
    {
        byte* information = stackalloc byte[SignalSetLength];
        while (WaitId(ByProcess, pid, information, Exited | LeaveWaitable) != 0 && Marshal.GetLastPInvokeError() == Interrupted)
        {
        }
    }

    /// <summary>The exit code of a child that has ended; 128 and the signal when one ended it.</summary>
    public static int Reap(int pid)
    {
        int status;
        while (WaitPid(pid, out status, 0) < 0 && Marshal.GetLastPInvokeError() == Interrupted)
        {
        }

        int signal = status & 0x7f;
        return signal == 0 ? (status >> 8) & 0xff : 128 + signal;
    }

    /// <summary>Two connected stream sockets, closed in children.</summary>
    /// <exception cref="CommandException">No descriptor is left.</exception>
    public static unsafe (int, int) SocketPair()
    {
        int* pair = stackalloc int[2];
        return SocketPair(ServiceNative.UnixFamily, ServiceNative.StreamSocket | ServiceNative.CloseOnExec, 0, pair) == 0
            ? (pair[0], pair[1])
            : throw CannotStart(Marshal.GetLastPInvokeError());
    }

    public static CommandException CannotStart(int error) => new(ExitCode.TryLater, $"cannot start the command: {Marshal.GetPInvokeErrorMessage(error)}", "try later");

    /// <summary>Names the service to a command that it runs.</summary>
    public const string ServiceVariable = "QUICKQ_SERVICE_PID";

    /// <summary>
    /// Lets the kernel end this program with the thread of the service that started it, and so with the service; false when the service has ended already.
    /// </summary>
    public static bool EndWithService()
    {
        _ = Control(SetParentDeathSignal, ServiceNative.SigTerm, 0, 0, 0);
        return string.Equals(Environment.GetEnvironmentVariable(ServiceVariable), ParentId().ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    public static partial int Kill(int pid, int signal);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "socketpair", SetLastError = true)]
    private static unsafe partial int SocketPair(int family, int type, int protocol, int* pair);

    [LibraryImport("libc", EntryPoint = "posix_spawn", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int Spawn(out int pid, string program, byte* actions, byte* attributes, nint* arguments, nint* environment);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_init")]
    private static unsafe partial int InitActions(byte* actions);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_adddup2")]
    private static unsafe partial int AddDuplicate(byte* actions, int descriptor, int newDescriptor);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_destroy")]
    private static unsafe partial int DestroyActions(byte* actions);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_init")]
    private static unsafe partial int InitAttributes(byte* attributes);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setflags")]
    private static unsafe partial int SetFlags(byte* attributes, short flags);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigdefault")]
    private static unsafe partial int SetDefaults(byte* attributes, byte* signals);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigmask")]
    private static unsafe partial int SetMask(byte* attributes, byte* signals);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_destroy")]
    private static unsafe partial int DestroyAttributes(byte* attributes);

    [LibraryImport("libc", EntryPoint = "getppid")]
    private static partial int ParentId();

    [LibraryImport("libc", EntryPoint = "prctl")]
    private static partial int Control(int option, nuint argument, nuint third, nuint fourth, nuint fifth);

    [LibraryImport("libc", EntryPoint = "waitid", SetLastError = true)]
    private static unsafe partial int WaitId(int kind, int id, byte* information, int options);

    [LibraryImport("libc", EntryPoint = "waitpid", SetLastError = true)]
    private static partial int WaitPid(int pid, out int status, int options);
}
