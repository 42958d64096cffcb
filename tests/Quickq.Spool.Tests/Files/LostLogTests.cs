using Quickq.Testing;

namespace Quickq.Spool.Tests.Files;

/// <summary>The WAL of an open spool removed, replaced or emptied by hand: nothing is accepted into a file that no other program sees.</summary>
public sealed class LostLogTests : IDisposable
{
    private readonly TempSpool _spool = new();

    [Theory]
    [InlineData("removed")]
    [InlineData("replaced")]
    [InlineData("emptied")]
    public void A_writer_that_has_the_spool_open_refuses_and_goes_on_when_it_has_opened_it_again(string how)
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        writer.Append(new OutgoingMessage { Id = "before" });
        string log = _spool.Path + "-wal";
        switch (how)
        {
            case "removed":
                File.Delete(log);
                break;
            case "replaced":
                File.Copy(log, log + ".copy");
                File.Move(log + ".copy", log, overwrite: true);
                break;
            default:
                using (var file = new FileStream(log, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
                {
                    file.SetLength(0);
                }

                break;
        }

        SpoolException refused = Assert.Throws<SpoolException>(() => writer.Append(new OutgoingMessage { Id = "lost" }));
        Assert.Equal(SpoolFault.InputOutput, refused.Fault);
        Assert.Contains(how is "emptied" ? "emptied" : "removed", refused.Message, StringComparison.Ordinal);

        writer.Append(new OutgoingMessage { Id = "after" });
        Assert.Contains("after", _spool.Query<string>("SELECT id FROM message"));
        Assert.DoesNotContain("lost", _spool.Query<string>("SELECT id FROM message"));
    }

    [Fact]
    public void A_checkpoint_by_another_program_is_no_loss()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        writer.Append(new OutgoingMessage { Body = new byte[100_000] });
        using (SpoolFile other = SpoolFile.OpenForWriting(_spool.Path, create: false))
        {
            Assert.True(other.UnderLock(connection => Quickq.Spool.Upkeep.Checkpointer.Run_NeedsLock(connection)));
        }

        Assert.Equal(0, new FileInfo(_spool.Path + "-wal").Length);
        writer.Append(new OutgoingMessage());
        Assert.Equal(2, _spool.Value<int>("SELECT count(*) FROM message"));
    }

    public void Dispose() => _spool.Dispose();
}
