using Quickq.Testing;

namespace Quickq.Spool.Tests.Repair;

/// <summary>Spools of which the end is missing.</summary>
public sealed class TruncatedFileTests : IDisposable
{
    private const int Messages = 500;
    private readonly TempSpool _spool = new();

    public TruncatedFileTests() => FilledSpool.Fill(_spool, Messages);

    public void Dispose() => _spool.Dispose();

    /// <summary>The file ends within a page: SQLite reads what is missing of it as zeros, and so does the repair.</summary>
    [Fact]
    public void Rows_on_the_part_of_a_page_that_is_still_there_are_saved()
    {
        FilledSpool.Checkpoint(_spool);
        int before = SpoolContent.Read(_spool.Path).Messages.Count;
        byte[] whole = File.ReadAllBytes(_spool.Path);
        for (int kept = 1; kept < 8; kept++)
        {
            SpoolFiles.Replace(_spool, whole[..^(kept * 512)]);
            int readable = Readable();

            RepairReport report = SpoolRepair.Run(_spool.Path)!;

            Assert.True(report.MessagesSaved >= readable, $"{report.MessagesSaved} saved, SQLite reads {readable}");
            Assert.True(report.MessagesSaved + report.MessagesLost <= before);
            Assert.Equal(report.MessagesSaved, SpoolContent.Read(_spool.Path).Messages.Count);
            Assert.DoesNotContain(SpoolCheck.Run(_spool.Path), finding => finding.Level == CheckLevel.Damaged);
        }
    }

    private int Readable()
    {
        using SpoolFile file = SpoolFile.OpenForReading(_spool.Path);
        return Enumerable.Range(1, Messages + 1).Count(seq =>
        {
            try
            {
                return file.Connection.ReadRows("SELECT properties, body FROM message WHERE seq = $seq", row => row.Bytes(1), ("$seq", seq)).Count == 1;
            }
            catch (Microsoft.Data.Sqlite.SqliteException)
            {
                return false;
            }
        });
    }
}
