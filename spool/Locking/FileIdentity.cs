using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Quickq.Spool.Locking;

/// <summary>Which file a path names now: device and inode, and its size. Read without opening the file.</summary>
/// <remarks>Opening and closing the live database by any other way than SQLite would drop the locks that this process holds on it.</remarks>
internal readonly record struct FileIdentity(uint DeviceMajor, uint DeviceMinor, ulong Inode)
{
    private const int AtCurrentDirectory = -100;
    private const int EmptyPath = 0x1000;
    private const uint BasicStats = 0x7ff;

    /// <summary>The device as one number, as <c>stat</c> has it (st_dev, by the C library's makedev).</summary>
    public ulong Device =>
        ((ulong)(DeviceMajor & 0xffff_f000) << 32) | ((DeviceMajor & 0xfff) << 8) | ((ulong)(DeviceMinor & 0xffff_ff00) << 12) | (DeviceMinor & 0xff);

    /// <summary>What an open descriptor leads to; null when it is not open.</summary>
    public static unsafe FileIdentity? OfDescriptor(int descriptor)
    {
        Span<byte> buffer = stackalloc byte[256];
        fixed (byte* pointer = buffer)
        {
            return Libc.StatX(descriptor, "", EmptyPath, BasicStats, pointer) == 0 ? Read(buffer) : null;
        }
    }

    /// <summary>The identity of the file at <paramref name="path"/> and its size; null when there is none.</summary>
    /// <exception cref="SpoolException">The path cannot be looked at.</exception>
    public static unsafe (FileIdentity Identity, long Size)? Find(string path)
    {
        Span<byte> buffer = stackalloc byte[256];
        int result;
        fixed (byte* pointer = buffer)
        {
            result = Libc.StatX(AtCurrentDirectory, path, 0, BasicStats, pointer);
        }

        if (result != 0)
        {
            int error = Marshal.GetLastPInvokeError();
            return error switch
            {
                Libc.NoEntry => null,
                Libc.AccessDenied => throw new SpoolException(SpoolFault.PermissionDenied, path,
                    $"no permission to look at {path}", "use an account of the group that owns the spool's folder"),
                _ => throw new SpoolException(SpoolFault.InputOutput, path, $"cannot look at {path}: {Libc.ErrorText(error)}"),
            };
        }

        return (Read(buffer), BinaryPrimitives.ReadInt64LittleEndian(buffer[40..]));
    }

    /// <summary>As <c>/proc/locks</c> writes it.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{DeviceMajor:x2}:{DeviceMinor:x2}:{Inode}");

    /// <summary>The size in bytes of the file at <paramref name="path"/>, 0 when there is none.</summary>
    public static long SizeOf(string path) => Find(path)?.Size ?? 0;

    // struct statx: stx_ino at 32, stx_size at 40, stx_dev_major at 136, stx_dev_minor at 140.
    private static FileIdentity Read(ReadOnlySpan<byte> status) => new(
        BinaryPrimitives.ReadUInt32LittleEndian(status[136..]),
        BinaryPrimitives.ReadUInt32LittleEndian(status[140..]),
        BinaryPrimitives.ReadUInt64LittleEndian(status[32..]));
}
