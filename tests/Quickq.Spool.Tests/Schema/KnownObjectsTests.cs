using Quickq.Spool.Schema;
using Quickq.Testing;

namespace Quickq.Spool.Tests.Schema;

public sealed class KnownObjectsTests : IDisposable
{
    private readonly TempSpool _spool = new();

    [Fact]
    public void The_fingerprint_of_each_format_is_that_of_its_schema() =>
        Assert.Equal(KnownObjects.Fingerprints, Enumerable.Range(1, SpoolSchema.Format).Select(KnownObjects.FingerprintOfOwn));

    public static TheoryData<string, string> Changes => new()
    {
        { "CREATE TRIGGER t AFTER INSERT ON message BEGIN DELETE FROM delivery; END", "trigger 't'" },
        { "CREATE VIEW v AS SELECT * FROM message", "view 'v'" },
        { "CREATE TABLE x (y)", "table 'x'" },
        { "CREATE INDEX i ON message (body)", "index 'i'" },
        { "DROP TRIGGER delivery_rewind", "lacks the trigger 'delivery_rewind'" },
        { "DROP TRIGGER delivery_rewind; CREATE TRIGGER delivery_rewind AFTER INSERT ON message BEGIN DELETE FROM delivery; END", "trigger 'delivery_rewind' was changed" },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public void An_object_that_is_not_ours_is_damage_when_opening_and_in_the_next_transaction(string change, string told)
    {
        using SpoolWriter open = SpoolWriter.Open(_spool.Path);
        open.Append(new OutgoingMessage { Id = "before" });
        _spool.Execute(change);

        foreach (Action use in (Action[])[() => open.Append(new OutgoingMessage { Id = "after" }), () => SpoolWriter.Open(_spool.Path), () => SpoolReader.Open(_spool.Path)])
        {
            SpoolException refused = Assert.Throws<SpoolException>(use);
            Assert.Equal(SpoolFault.Damaged, refused.Fault);
            Assert.Contains(told, refused.Message, StringComparison.Ordinal);
        }

        Assert.Equal(["before"], _spool.Query<string>("SELECT id FROM message"));
    }

    [Fact]
    public void What_sqlite_makes_for_itself_is_no_damage()
    {
        using SpoolWriter open = SpoolWriter.Open(_spool.Path);
        _spool.Execute("ANALYZE message");

        open.Append(new OutgoingMessage());
    }

    public void Dispose() => _spool.Dispose();
}
