using Quickq.Testing;

namespace Quickq.Spool.Tests.Repair;

/// <summary>Under which names damaged spools are kept.</summary>
public sealed class DamagedFileNamesTests : IDisposable
{
    private const int Messages = 500;
    private readonly TempSpool _spool = new();

    public DamagedFileNamesTests() => FilledSpool.Fill(_spool, Messages);

    public void Dispose() => _spool.Dispose();

    [Fact]
    public void Two_repairs_in_one_second_keep_both_damaged_files()
    {
        var clock = new StoppedClock();
        _spool.Execute("UPDATE server SET held = 99");
        RepairReport first = SpoolRepair.Run(_spool.Path, clock)!;
        _spool.Execute("UPDATE server SET held = 99");

        RepairReport second = SpoolRepair.Run(_spool.Path, clock)!;

        Assert.Equal(first.Aside + "-2", second.Aside);
        Assert.All([first.Aside, second.Aside], aside => Assert.Equal(Messages, SpoolContent.Read(aside).Messages.Count));
        Assert.False(File.Exists(_spool.Path + ".repair"));
        using SpoolReader reader = SpoolReader.Open(_spool.Path);
        Assert.Equal(second.Aside, reader.ReadOverview().Repaired!.Aside);
        Assert.DoesNotContain(SpoolCheck.Run(_spool.Path), finding => finding.Level == CheckLevel.Damaged);
    }

    private sealed class StoppedClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    }
}
