using Quickq.Agent.Settings;
using Quickq.Spool;
using Quickq.Spool.Upkeep;
using Quickq.Testing;

namespace Quickq.Agent.Tests.Upkeep;

/// <summary>A small disk that something else fills.</summary>
public sealed class DiskReserveTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private static readonly SpoolSettings Settings = new() { Retention = TimeSpan.FromDays(36_500) };
    private readonly SmallDisk _disk = SmallDisk.InMemory(mebibytes: 32);
    private readonly TempSpool _spool;

    public DiskReserveTests() => _spool = new TempSpool(_disk.Folder);

    private string Reserve => _spool.File("spool.db.reserve");

    [Fact(Timeout = 180_000)]
    public async Task On_a_full_disk_the_ledger_gives_the_reserve_up_and_goes_on_producers_do_not_get_it_and_it_is_made_again()
    {
        RunningUpkeep.FillDelivered(_spool, 10);
        await using RunningUpkeep upkeep = RunningUpkeep.Start(_spool, Settings);
        await Eventually.Is("the reserve is there: an eighth of the disk", Limit, () => SpoolReserve.Exists(_spool.Path));
        Assert.Equal(4 << 20, new FileInfo(Reserve).Length);
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        writer.Append(new OutgoingMessage { Id = "before" });
        _disk.Fill();

        // More than the log has room for where it is: without the reserve this would wait for ever.
        for (int i = 0; i < 40; i++)
        {
            await upkeep.Ledger.RunAsync(connection => connection.Execute($"INSERT INTO server (name, active, last_error) VALUES ('s{i}', 0, hex(zeroblob(16000)))")).WaitAsync(Limit, TestContext.Current.CancellationToken);
        }

        Assert.False(File.Exists(Reserve));
        Assert.Contains("the disk is full; the agent gives up its reserve of 4.0 MiB", upkeep.Log, StringComparison.Ordinal);
        Assert.InRange(new DriveInfo(_disk.Folder).AvailableFreeSpace, 1 << 20, 4 << 20);
        SpoolException refused = Assert.Throws<SpoolException>(() => writer.Append(new OutgoingMessage { Id = "full" }));
        Assert.Equal(SpoolFault.Full, refused.Fault);
        Assert.Contains("minFreeDisk", refused.Message, StringComparison.Ordinal);

        _disk.Empty();

        await Eventually.Is("the reserve is there again", Limit, () => SpoolReserve.Exists(_spool.Path));
        await Eventually.Gives("producers are told", 0, Limit, () => _spool.Value<int>("SELECT count(*) FROM setting WHERE name = 'reserveMissing'"));
        writer.Append(new OutgoingMessage { Id = "after" });
    }

    [Fact(Timeout = 180_000)]
    public async Task Where_no_reserve_can_be_made_the_agent_says_so_and_producers_leave_its_room_free()
    {
        RunningUpkeep.FillDelivered(_spool, 10);
        await File.WriteAllBytesAsync(_spool.File("something-else"), new byte[27 << 20], TestContext.Current.CancellationToken);

        await using RunningUpkeep upkeep = RunningUpkeep.Start(_spool, Settings);

        await Eventually.Gives("producers are told", 4 << 20, Limit, () => _spool.Value<int>("SELECT coalesce(max(value), 0) FROM setting WHERE name = 'reserveMissing'"));
        Assert.Contains("WARN a reserve of 4.0 MiB for a full disk cannot be made now", upkeep.Log, StringComparison.Ordinal);
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        Assert.Equal(SpoolFault.Full, Assert.Throws<SpoolException>(() => writer.Append(new OutgoingMessage())).Fault);
    }

    public void Dispose()
    {
        _spool.Dispose();
        _disk.Dispose();
    }
}
