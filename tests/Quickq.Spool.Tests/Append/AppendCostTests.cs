using Quickq.Testing;

namespace Quickq.Spool.Tests.Append;

/// <summary>What an append costs, by counts that are the same on every machine. Limits are a quarter above what was counted when they were set.</summary>
public sealed class AppendCostTests : IDisposable
{
    private const int Count = 1_000;

    // Counted on 2026-11-25 with bodies of 1 kB and two servers known.
    private const long LogBytesAlone = 35_930;
    private const long LogBytesAmongMany = 1_577;
    private const long AllocatedAlone = 6_406;
    private const long AllocatedAmongMany = 1_126;

    private readonly TempSpool _spool = new();
    private readonly SpoolWriter _writer;
    private readonly OutgoingMessage _message = new() { RoutingKey = "geo.goes.g16.abi.adde.realtime.ncdf.band.end", Body = new byte[1_000] };

    public AppendCostTests()
    {
        _writer = SpoolWriter.Open(_spool.Path);
        _writer.Append(_message);
        _spool.Execute("INSERT INTO server (name) VALUES ('mq1'), ('mq2')");
        _writer.AppendMany([.. Enumerable.Repeat(_message, Count)]);
    }

    [Fact]
    public void One_in_a_transaction_writes_and_allocates_no_more_than_it_did() => Require(LogBytesAlone, AllocatedAlone, () =>
    {
        for (int i = 0; i < Count; i++)
        {
            _writer.Append(_message);
        }
    });

    [Fact]
    public void A_thousand_in_a_transaction_write_and_allocate_no_more_than_they_did()
    {
        OutgoingMessage[] messages = [.. Enumerable.Repeat(_message, Count)];
        Require(LogBytesAmongMany, AllocatedAmongMany, () => _writer.AppendMany(messages));
    }

    public void Dispose()
    {
        _writer.Dispose();
        _spool.Dispose();
    }

    private void Require(long logBytes, long allocated, Action append)
    {
        (long logBefore, long allocatedBefore) = (LogSize(), GC.GetAllocatedBytesForCurrentThread());
        append();
        (long logAfter, long allocatedAfter) = (LogSize(), GC.GetAllocatedBytesForCurrentThread());

        CountedCost.RequireAtMost("bytes of the log a message", (logAfter - logBefore) / Count, logBytes);
        CountedCost.RequireAtMost("bytes allocated a message", (allocatedAfter - allocatedBefore) / Count, allocated);
    }

    private long LogSize() => new FileInfo(_spool.Path + "-wal").Length;
}
