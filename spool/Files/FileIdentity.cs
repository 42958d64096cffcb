using System.Globalization;

namespace Quickq.Spool.Files;

/// <summary>Which file a path names now: device and inode.</summary>
internal readonly record struct FileIdentity(uint DeviceMajor, uint DeviceMinor, ulong Inode)
{
    /// <summary>The device as one number, as <c>stat</c> has it (st_dev, by the C library's makedev).</summary>
    public ulong Device =>
        ((ulong)(DeviceMajor & 0xffff_f000) << 32) | ((DeviceMajor & 0xfff) << 8) | ((ulong)(DeviceMinor & 0xffff_ff00) << 12) | (DeviceMinor & 0xff);

    /// <summary>What an open descriptor leads to; null when it is not open.</summary>
    public static FileIdentity? OfDescriptor(int descriptor) => FileStatus.OfDescriptor(descriptor)?.Identity;

    /// <summary>The file at <paramref name="path"/>, a final link followed; null when there is none.</summary>
    /// <exception cref="SpoolException">The path cannot be looked at.</exception>
    public static FileStatus? Find(string path)
    {
        FileStatus? found = FileStatus.Find(path, out int error);
        return error switch
        {
            0 => found,
            Libc.NoEntry or Libc.NotAFolder => null,
            Libc.AccessDenied => throw new SpoolException(SpoolFault.PermissionDenied, path,
                $"no permission to look at {path}", "run it as the account that owns the spool's folder"),
            _ => throw new SpoolException(SpoolFault.InputOutput, path, $"cannot look at {path}: {Libc.ErrorText(error)}"),
        };
    }

    /// <summary>As <c>/proc/locks</c> writes it.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{DeviceMajor:x2}:{DeviceMinor:x2}:{Inode}");

    /// <summary>The size in bytes of the file at <paramref name="path"/>, 0 when there is none.</summary>
    public static long SizeOf(string path) => Find(path)?.Size ?? 0;
}
