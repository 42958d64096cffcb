using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Quickq.Spool.Files;

/// <summary>What the file system says about a path, read without opening the file.</summary>
/// <remarks>Opening and closing the live database by any other way than SQLite would drop the locks that this process holds on it.</remarks>
/// <param name="Identity">Device and inode.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Owner">The user id of the owner.</param>
/// <param name="Mode">Type and permissions, as <c>st_mode</c>.</param>
/// <param name="Links">How many names the file has.</param>
/// <param name="IsMountPoint">Whether something is mounted on this very path; null where the kernel (before 5.8) cannot say.</param>
internal readonly record struct FileStatus(FileIdentity Identity, long Size, uint Owner, int Mode, uint Links, bool? IsMountPoint)
{
    private const int TypeMask = 0xF000, RegularType = 0x8000, FolderType = 0x4000, LinkType = 0xA000, SocketType = 0xC000, WritableByOthersBits = 0x12; // 0022
    private const int EmptyPath = 0x1000, NoFollow = 0x100;
    private const uint BasicStats = 0x7ff;
    private const ulong MountRoot = 0x2000;

    public bool IsRegularFile => (Mode & TypeMask) == RegularType;

    public bool IsFolder => (Mode & TypeMask) == FolderType;

    public bool IsLink => (Mode & TypeMask) == LinkType;

    public bool IsSocket => (Mode & TypeMask) == SocketType;

    /// <summary>Whether its group or everybody may write it.</summary>
    public bool IsWritableByOthers => (Mode & WritableByOthersBits) != 0;

    /// <summary>The permissions alone, as <c>chmod</c> takes them.</summary>
    public int Permissions => Mode & 0xFFF;

    /// <summary>Looks at <paramref name="path"/>, a final link followed; null, with the error, when that fails.</summary>
    public static FileStatus? Find(string path, out int error) => Look(Libc.AtCurrentDirectory, path, 0, out error);

    /// <summary>Looks at <paramref name="path"/> itself, also when it is a link; null, with the error, when that fails.</summary>
    public static FileStatus? FindLink(string path, out int error) => Look(Libc.AtCurrentDirectory, path, NoFollow, out error);

    /// <summary>What an open descriptor leads to; null when it is not open.</summary>
    public static FileStatus? OfDescriptor(int descriptor) => Look(descriptor, "", EmptyPath, out _);

    private static unsafe FileStatus? Look(int directory, string path, int flags, out int error)
    {
        Span<byte> buffer = stackalloc byte[256];
        fixed (byte* pointer = buffer)
        {
            error = Libc.StatX(directory, path, flags, BasicStats, pointer) == 0 ? 0 : Marshal.GetLastPInvokeError();
        }

        return error == 0 ? Read(buffer) : null;
    }

    // struct statx: attributes at 8, nlink 16, uid 20, mode 28, ino 32, size 40, attributes_mask 56, dev_major 136, dev_minor 140.
    private static FileStatus Read(ReadOnlySpan<byte> status)
    {
        bool knowsMounts = (BinaryPrimitives.ReadUInt64LittleEndian(status[56..]) & MountRoot) != 0;
        return new FileStatus(
            new FileIdentity(
                BinaryPrimitives.ReadUInt32LittleEndian(status[136..]),
                BinaryPrimitives.ReadUInt32LittleEndian(status[140..]),
                BinaryPrimitives.ReadUInt64LittleEndian(status[32..])),
            BinaryPrimitives.ReadInt64LittleEndian(status[40..]),
            BinaryPrimitives.ReadUInt32LittleEndian(status[20..]),
            BinaryPrimitives.ReadUInt16LittleEndian(status[28..]),
            BinaryPrimitives.ReadUInt32LittleEndian(status[16..]),
            knowsMounts ? (BinaryPrimitives.ReadUInt64LittleEndian(status[8..]) & MountRoot) != 0 : null);
    }
}
