using Microsoft.Extensions.Logging;
using Quickq.Agent.Ledger;
using Quickq.Agent.Observability;
using Quickq.Spool;
using Quickq.Spool.Files;
using Quickq.Spool.Upkeep;

namespace Quickq.Agent.Upkeep;

/// <summary>Makes the reserve of disk space when there is room for it: at the start, and again after the ledger gave it up.</summary>
internal sealed class DiskReserve(string spoolPath, DeliveryLedger ledger, ILogger log)
{
    private readonly string _path = SpoolPath.FollowLinks(spoolPath);
    private bool _warned;

    /// <summary>As configured; the reserve is only made where this much stays free beside it.</summary>
    public long? MinFreeDiskBytes { get; set; }

    /// <summary>Makes it if it is missing and can be made.</summary>
    public async Task<UpkeepProgress> StepAsync()
    {
        if (SpoolReserve.Exists(_path))
        {
            return UpkeepProgress.NothingLeft;
        }

        string size = ByteSize.Describe(SpoolReserve.SizeFor(_path));
        if ((HasRoom() ? SpoolReserve.Make(_path) : "there is too little room") is { } fault)
        {
            if (!_warned)
            {
                _warned = true;
                log.ReserveMissing(size, fault);
            }

            await TellProducersAsync(SpoolReserve.SizeFor(_path));
            return UpkeepProgress.Later;
        }

        await TellProducersAsync(missing: null);
        if (_warned)
        {
            log.ReserveMade(size);
        }

        // The next one that is missing was given up, and the ledger said so.
        _warned = true;
        return UpkeepProgress.NothingLeft;
    }

    private Task<bool> TellProducersAsync(long? missing) => ledger.RunAsync(connection =>
    {
        ServerRegistry.WriteSetting_NeedsTransaction(connection, SpoolLimits.ReserveMissingSetting, missing);
        return true;
    });

    private bool HasRoom()
    {
        FileSystemSpace disk = FileSystemSpace.Of(Path.GetDirectoryName(_path)!);
        long kept = MinFreeDiskBytes ?? FreeSpace.DefaultMinFreeDisk(disk.TotalBytes);
        return disk.AvailableBytes - FileIdentity.SizeOf(SpoolPath.WriteAheadLog(_path)) >= SpoolReserve.SizeFor(_path) + kept;
    }
}
