using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Quickq.Spool.Files;

/// <summary>The file system that holds a folder: its kind, size and the bytes that this user may still write.</summary>
internal readonly record struct FileSystemSpace(long Kind, long TotalBytes, long AvailableBytes, long Flags)
{
    private const long NothingLeftBytes = 64 * 1024, MountedReadOnly = 1;

    private static readonly Dictionary<long, string> NetworkKinds = new()
    {
        [0x6969] = "NFS",
        [0xFF534D42] = "CIFS",
        [0xFE534D42] = "SMB",
        [0x517B] = "SMB",
        [0x65735546] = "FUSE",
        [0x01021997] = "9p",
        [0x5346414F] = "AFS",
        [0x00C36400] = "Ceph",
        [0x0BD00BD0] = "Lustre",
        [0x47504653] = "GPFS",
        [0x01161970] = "GFS2",
        [0x7461636F] = "OCFS2",
    };

    /// <summary>The name of the network file system, or null for a local one. SQLite's WAL needs memory shared on one host.</summary>
    public string? NetworkName => NetworkKinds.GetValueOrDefault(Kind);

    /// <summary>Whether the file system of <paramref name="folder"/> has no room for even a few pages.</summary>
    public static bool IsFull(string folder) => FileIdentity.Find(folder) is not null && Of(folder).AvailableBytes < NothingLeftBytes;

    /// <summary>Whether the file system of <paramref name="folder"/> is mounted read-only, as it also is after an error of the disk.</summary>
    public static bool IsReadOnly(string folder) => FileIdentity.Find(folder) is not null && (Of(folder).Flags & MountedReadOnly) != 0;

    /// <summary>Refuses a network file system, unless QUICKQ_ANY_FILE_SYSTEM=1 takes the risk.</summary>
    public static void RequireLocal(string resolvedSpool)
    {
        string folder = Path.GetDirectoryName(resolvedSpool)!;
        if (FileIdentity.Find(folder) is not null && Of(folder).NetworkName is { } network && Environment.GetEnvironmentVariable("QUICKQ_ANY_FILE_SYSTEM") is not "1")
        {
            throw new SpoolException(SpoolFault.UnsuitableFileSystem, resolvedSpool, $"{folder} is on {network}: a spool needs a local file system",
                "put the spool on a local disk (QUICKQ_ANY_FILE_SYSTEM=1 overrides this, at your risk)");
        }
    }

    /// <summary>Asks the file system of <paramref name="folder"/>.</summary>
    /// <exception cref="SpoolException">The folder cannot be looked at.</exception>
    public static unsafe FileSystemSpace Of(string folder)
    {
        Span<byte> buffer = stackalloc byte[256];
        int result;
        fixed (byte* pointer = buffer)
        {
            result = Libc.StatFs(folder, pointer);
        }

        if (result != 0)
        {
            throw new SpoolException(SpoolFault.InputOutput, folder,
                $"cannot ask the file system of {folder}: {Libc.ErrorText(Marshal.GetLastPInvokeError())}");
        }

        // struct statfs on 64-bit Linux: f_type 0, f_bsize 8, f_blocks 16, f_bfree 24, f_bavail 32, f_flags 80.
        long blockSize = BinaryPrimitives.ReadInt64LittleEndian(buffer[8..]);
        return new FileSystemSpace(
            BinaryPrimitives.ReadInt64LittleEndian(buffer),
            BinaryPrimitives.ReadInt64LittleEndian(buffer[16..]) * blockSize,
            BinaryPrimitives.ReadInt64LittleEndian(buffer[32..]) * blockSize,
            BinaryPrimitives.ReadInt64LittleEndian(buffer[80..]));
    }
}
