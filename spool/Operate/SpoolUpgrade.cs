using Quickq.Spool.Schema;

namespace Quickq.Spool;

/// <summary>Raises the format of a spool to that of this program.</summary>
/// <remarks>
/// Every program of the spool's owner does so when it opens an older spool. One transaction under the lock, which rewrites no row: under a second for millions of messages, and whole
/// or not at all. Programs of the older format that have the spool open go on adding.
/// </remarks>
public static class SpoolUpgrade
{
    /// <summary>Raises the format where it is older; returns what it was, and what it is.</summary>
    /// <exception cref="SpoolException">There is no spool, a newer format, no permission, damaged, full.</exception>
    public static (long Before, long Now) Run(string path)
    {
        long before;
        using (SpoolFile file = SpoolFile.OpenForReading(path))
        {
            before = file.Read(SpoolSchema.FormatOf);
        }

        using SpoolFile raised = SpoolFile.OpenForWriting(path, create: false);
        return (before, raised.Read(SpoolSchema.FormatOf));
    }
}
