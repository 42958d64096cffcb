using Quickq.Testing;

namespace Quickq.Spool.Tests.Repair;

/// <summary>Puts files in the place of a spool's, as a crash, a disk or a hand leaves them: no index of the WAL, nobody has it open.</summary>
internal static class SpoolFiles
{
    public static void Replace(TempSpool spool, byte[] content, byte[]? wal = null)
    {
        foreach (string file in Directory.GetFiles(spool.Folder))
        {
            File.Delete(file);
        }

        File.WriteAllBytes(spool.Path, content);
        if (wal is not null)
        {
            File.WriteAllBytes(spool.Path + "-wal", wal);
        }
    }
}
