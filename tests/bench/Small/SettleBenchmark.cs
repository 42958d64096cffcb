using BenchmarkDotNet.Attributes;
using Dapper;
using Quickq.Agent.Forwarding;
using Quickq.Agent.Ledger;
using Quickq.Agent.Timing;
using Quickq.Spool;

namespace Quickq.Bench.Small;

/// <summary>A batch of deliveries is written down, all but the commit: it is rolled back, so that each round finds the same rows.</summary>
public class SettleBenchmark
{
    private const int Batch = 256;
    private readonly SettlementWriter _writer = new(RetrySchedule.ForRefusals(() => 0));
    private SmallSpool _spool = null!;
    private SpoolFile _file = null!;
    private SettlementBatch _batch = null!;

    [GlobalSetup]
    public void Open()
    {
        _spool = new SmallSpool(Batch);
        _file = SpoolFile.OpenForWriting(_spool.Path, create: false);
        long first = _spool.FirstSeq;
        _batch = new SettlementBatch(1, "127.0.0.1:5672", [.. Enumerable.Range(0, Batch).Select(i => new Settlement(first + i, DeliveryState.Delivered, 1))]);
    }

    [GlobalCleanup]
    public void Close()
    {
        _file.Dispose();
        _spool.Dispose();
    }

    [Benchmark(Description = "settle, 256 in a batch", OperationsPerInvoke = Batch)]
    public int Write()
    {
        _file.Connection.Execute("BEGIN");
        int delivered = _writer.Write_NeedsTransaction(_file.Connection, _batch);
        _file.Connection.Execute("ROLLBACK");
        return delivered;
    }
}
