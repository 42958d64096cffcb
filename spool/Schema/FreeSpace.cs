using Microsoft.Data.Sqlite;
using Quickq.Spool.Files;

namespace Quickq.Spool;

/// <summary>How full a spool and its disk are.</summary>
/// <param name="PageBytes">Bytes of one page.</param>
/// <param name="PageCount">Pages of the file, those in the log included.</param>
/// <param name="FreePages">Those of them that hold nothing.</param>
/// <param name="FreeDiskBytes">What this account may still write, less what stands in the log: it will need its place in the main file too.</param>
/// <param name="DiskBytes">The whole file system.</param>
internal readonly record struct FreeSpace(long PageBytes, long PageCount, long FreePages, long FreeDiskBytes, long DiskBytes)
{
    private const long Mebibyte = 1024 * 1024;

    /// <summary>Bytes of the pages that hold something; what <c>maxSize</c> limits.</summary>
    public long LiveBytes => PageBytes * (PageCount - FreePages);

    /// <summary>Looks at the spool that <paramref name="connection"/> has open, and at its file system.</summary>
    public static FreeSpace Read(SqliteConnection connection, string path)
    {
        FileSystemSpace disk = FileSystemSpace.Of(Path.GetDirectoryName(path)!);
        return new FreeSpace(
            connection.ReadNumber("PRAGMA page_size"),
            connection.ReadNumber("PRAGMA page_count"),
            connection.ReadNumber("PRAGMA freelist_count"),
            disk.AvailableBytes - FileIdentity.SizeOf(SpoolPath.WriteAheadLog(path)),
            disk.TotalBytes);
    }

    /// <summary>Bytes that stay free: as configured, else <see cref="DefaultMinFreeDisk"/>.</summary>
    public long MinFreeDisk(long? configured) => configured ?? DefaultMinFreeDisk(DiskBytes);

    /// <summary>The smaller of 512 MiB and 5 % of the file system.</summary>
    public static long DefaultMinFreeDisk(long diskBytes) => Math.Min(512 * Mebibyte, diskBytes / 20);
}
