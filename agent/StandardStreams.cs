using System.Runtime.InteropServices;

namespace Quickq.Agent;

/// <summary>Makes sure that descriptors 0 to 2 are standard input, output and error, whoever started the program.</summary>
internal static unsafe partial class StandardStreams
{
    private const int GetFlags = 1, CloseOnExec = 1, ReadWrite = 2, CloseOnExecAtOpening = 0x80000, DuplicateClosedOnExec = 1030, FirstOther = 3;
    private const string MissingVariable = "QUICKQ_MISSING_STREAMS";

    /// <summary>
    /// Where one of them is closed, the runtime has opened a file of its own there by now, and what is said would go into that. Then this program begins again in the same
    /// process, with the same arguments, and opens <c>/dev/null</c> there. Does not return in the first of these two rounds.
    /// </summary>
    public static void RequireOpen()
    {
        if (Environment.GetEnvironmentVariable(MissingVariable) is { } known)
        {
            // The second round: from its beginning a pipe was under these numbers, so the runtime uses none of them.
            _ = UnsetVariable(MissingVariable);
            OpenNull(Enumerable.Range(0, FirstOther).Where(descriptor => known.Contains((char)('0' + descriptor), StringComparison.Ordinal)));
            return;
        }

        // What was handed over at the start cannot have this mark, and what the runtime opens has it.
        int[] missing = [.. Enumerable.Range(0, FirstOther).Where(descriptor => Control(descriptor, GetFlags) is var flags && (flags < 0 || (flags & CloseOnExec) != 0))];
        if (missing.Length > 0 && OccupyWithPipe(missing))
        {
            _ = SetVariable(MissingVariable, string.Join(',', missing), 1);
            BeginAgain();
        }
    }

    /// <summary>
    /// Puts a pipe under the numbers that nobody writes to and that stays open until the next round: a thread of the runtime may begin to read from one of them at any moment,
    /// and at an end of file it would close the number, whatever is open under it by then. False where that cannot be done: without them is better than not at all.
    /// </summary>
    private static bool OccupyWithPipe(int[] missing)
    {
        int* ends = stackalloc int[2];
        if (MakePipe(ends, CloseOnExecAtOpening) < 0)
        {
            return false;
        }

        // Either end may have got one of the numbers.
        int reading = Control(ends[0], DuplicateClosedOnExec, FirstOther), writing = Control(ends[1], DuplicateClosedOnExec, FirstOther);
        if (reading < 0 || writing < 0)
        {
            return false;
        }

        foreach (int descriptor in missing)
        {
            // What the runtime has there stays open under another number: a thread may be reading from it, or another write to it.
            _ = Control(descriptor, DuplicateClosedOnExec, FirstOther);
            if (Duplicate(reading, descriptor) < 0)
            {
                return false;
            }
        }

        return true;
    }

    private static void OpenNull(IEnumerable<int> descriptors)
    {
        int nothing = Open("/dev/null", ReadWrite | CloseOnExecAtOpening);
        foreach (int descriptor in descriptors)
        {
            _ = Duplicate(nothing, descriptor);
        }

        _ = Close(nothing);
    }

    /// <summary>Returns only where the system does not allow it.</summary>
    private static void BeginAgain()
    {
        byte[] arguments = File.ReadAllBytes("/proc/self/cmdline");
        fixed (byte* first = arguments)
        {
            var each = new List<nint>();
            for (int at = 0; at < arguments.Length; at += Array.IndexOf(arguments, (byte)0, at) - at + 1)
            {
                each.Add((nint)(first + at));
            }

            each.Add(0);
            fixed (nint* all = CollectionsMarshal.AsSpan(each))
            {
                _ = Replace("/proc/self/exe", all);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "fcntl")]
    private static partial int Control(int descriptor, int command, int argument = 0);

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "pipe2")]
    private static partial int MakePipe(int* ends, int flags);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "dup2")]
    private static partial int Duplicate(int descriptor, int asDescriptor);

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetVariable(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "unsetenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int UnsetVariable(string name);

    [LibraryImport("libc", EntryPoint = "execv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Replace(string program, nint* arguments);
}
