using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Quickq.Spool.Files;

namespace Quickq.Agent.Settings;

/// <summary>Reads the small files that a configuration consists of, and never waits: a pipe without a writer would keep the reader for ever.</summary>
internal static partial class RegularFile
{
    private const int Regular = 0x8000, Folder = 0x4000, Pipe = 0x1000, TypeBits = 0xF000, GroupReads = 0x20, OthersRead = 4;
    private const int NonBlocking = 0x800, NotADirectory = 20;

    /// <summary>All bytes of a file.</summary>
    /// <param name="path">The file; links are followed.</param>
    /// <param name="most">More than this, in bytes, is not what was meant.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="UnauthorizedAccessException">This user may not read it.</exception>
    /// <exception cref="IOException">It is no regular file, too large, or cannot be read; the message says which, and names no path.</exception>
    public static byte[] Read(string path, int most)
    {
        int descriptor = Libc.Open(path, Libc.ReadOnly | NonBlocking | Libc.CloseOnExec, 0);
        if (descriptor < 0)
        {
            int error = Marshal.GetLastPInvokeError();
            string text = Libc.ErrorText(error);
            throw error switch
            {
                Libc.NoEntry or NotADirectory => new FileNotFoundException(text, path),
                Libc.AccessDenied or Libc.NotPermitted => new UnauthorizedAccessException(text),
                _ => new IOException(text),
            };
        }

        using var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        if ((Status(descriptor, "").Mode & TypeBits) is var kind and not Regular)
        {
            throw new IOException(kind switch
            {
                Folder => "it is a folder, not a file",
                Pipe => "it is a pipe, not a regular file",
                _ => "it is a device, not a regular file",
            });
        }

        var bytes = new byte[Math.Min(RandomAccess.GetLength(handle), most) + 1];
        int count = 0;
        while (RandomAccess.Read(handle, bytes.AsSpan(count), count) is > 0 and var read)
        {
            count += read;
        }

        return count <= most && count < bytes.Length
            ? bytes[..count]
            : throw new IOException(string.Create(CultureInfo.InvariantCulture, $"it is larger than {most:N0} bytes"));
    }

    /// <summary>Who can read a file beside its owner and this process's own group, in words; null when nobody can.</summary>
    public static string? OtherReaders(string path)
    {
        const int currentDirectory = -100;
        (int mode, uint group) = Status(currentDirectory, path);

        // Root asks for others: it does not know their group.
        return (mode & OthersRead) != 0 ? "every user"
            : (mode & GroupReads) != 0 && group != 0 && !Environment.IsPrivilegedProcess && group != OwnGroup() ? string.Create(CultureInfo.InvariantCulture, $"group {group}")
            : null;
    }

    private static unsafe (int Mode, uint Group) Status(int descriptor, string path)
    {
        const int emptyPath = 0x1000, groupAt = 24, modeAt = 28;
        const uint basic = 0x7ff;
        byte* status = stackalloc byte[256];
        return Libc.StatX(descriptor, path, path.Length == 0 ? emptyPath : 0, basic, status) == 0 ? (*(ushort*)(status + modeAt), *(uint*)(status + groupAt)) : (0, 0);
    }

    [LibraryImport("libc", EntryPoint = "getegid")]
    private static partial uint OwnGroup();
}
