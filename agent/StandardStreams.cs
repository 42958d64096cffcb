using System.Runtime.InteropServices;

namespace Quickq.Agent;

/// <summary>Makes sure that descriptors 0 to 2 are standard input, output and error, whoever started the program.</summary>
internal static unsafe partial class StandardStreams
{
    private const int GetFlags = 1, CloseOnExec = 1, ReadWrite = 2, DuplicateClosedOnExec = 1030, FirstOther = 3;
    private const string Mark = "QUICKQ_STREAMS_OPENED";

    /// <summary>
    /// Where one of them is closed, the runtime has opened a file of its own there by now, and what is said would go into that. Then they are opened on
    /// <c>/dev/null</c>, and this program begins again in the same process, with the same arguments. Does not return in that case.
    /// </summary>
    public static void RequireOpen()
    {
        // What was handed over at the start cannot have this mark, and what the runtime opens has it.
        int[] missing = [.. Enumerable.Range(0, 3).Where(descriptor => Control(descriptor, GetFlags) is var flags && (flags < 0 || (flags & CloseOnExec) != 0))];
        if (missing.Length == 0 || Environment.GetEnvironmentVariable(Mark) is not null)
        {
            return;
        }

        int nothing = Open("/dev/null", ReadWrite);
        foreach (int descriptor in missing)
        {
            // A thread of the runtime reads from a pipe there; at its end it would close the number, whatever is open under it by then.
            _ = Control(descriptor, DuplicateClosedOnExec, FirstOther);
            if (nothing < 0 || Duplicate(nothing, descriptor) < 0)
            {
                return; // without them is better than not at all
            }
        }

        byte[] arguments = File.ReadAllBytes("/proc/self/cmdline");
        SetVariable(Mark, "1", 1);
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
                Replace("/proc/self/exe", all);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "fcntl")]
    private static partial int Control(int descriptor, int command, int argument = 0);

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "dup2")]
    private static partial int Duplicate(int descriptor, int asDescriptor);

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetVariable(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "execv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Replace(string program, nint* arguments);
}
