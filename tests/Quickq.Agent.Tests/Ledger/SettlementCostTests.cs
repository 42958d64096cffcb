using Quickq.Agent.Forwarding;
using Quickq.Agent.Ledger;
using Quickq.Agent.Timing;
using Quickq.Spool;
using Quickq.Testing;
using SQLitePCL;

namespace Quickq.Agent.Tests.Ledger;

/// <summary>What a settlement costs, by counts that are the same on every machine. Limits are a quarter above what was counted when they were set.</summary>
public sealed class SettlementCostTests : IDisposable
{
    private const int Batch = 250;
    private const int Batches = 8;

    // Counted on 2026-11-25: the settlements, the counters, and the two ends of the transaction, whatever the size of the batch.
    private const long StatementsInBatch = 4;
    private const long LogBytes = 232;
    private const long Steps = 75;
    private const long Allocated = 156;

    private readonly TempSpool _spool = new();
    private readonly SettlementWriter _writer = new(RetrySchedule.ForRefusals(() => 0));
    private readonly SpoolFile _file;
    private readonly long _first;

    public SettlementCostTests()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        writer.Append(new OutgoingMessage());
        _spool.Execute("INSERT INTO server (name) VALUES ('mq1'), ('mq2')");
        writer.AppendMany([.. Enumerable.Repeat(new OutgoingMessage { Body = new byte[1_000] }, Batch * (Batches + 1))]);
        _file = SpoolFile.OpenForWriting(_spool.Path, create: false, durable: false);
        _first = _spool.Value<long>("SELECT min(message) FROM delivery");
        Settle(0);
    }

    [Fact]
    public void A_batch_takes_as_many_statements_as_it_did_however_many_messages_are_in_it()
    {
        long statements = 0;
        strdelegate_trace count = (_, text) => statements += text.StartsWith("--", StringComparison.Ordinal) ? 0 : 1; // those are triggers
        raw.sqlite3_trace(_file.Connection.Handle!, count, null);

        Settle(1);
        raw.sqlite3_trace(_file.Connection.Handle!, (strdelegate_trace?)null, null);
        GC.KeepAlive(count);

        Assert.NotEqual(0, statements);
        CountedCost.RequireAtMost($"statements to settle {Batch} messages", statements, StatementsInBatch);
    }

    [Fact]
    public void A_settlement_takes_SQLite_no_more_steps_than_it_did()
    {
        const int Each = 10;
        long steps = 0;
        delegate_progress count = _ =>
        {
            steps += Each;
            return 0;
        };
        raw.sqlite3_progress_handler(_file.Connection.Handle!, Each, count, null);

        Settle(1);
        raw.sqlite3_progress_handler(_file.Connection.Handle!, 0, null, null);
        GC.KeepAlive(count);

        CountedCost.RequireAtMost("SQLite's steps a settlement", steps / Batch, Steps);
    }

    [Fact]
    public void A_settlement_writes_and_allocates_no_more_than_it_did()
    {
        (long logBefore, long allocatedBefore) = (LogSize(), GC.GetAllocatedBytesForCurrentThread());
        for (int batch = 1; batch <= Batches; batch++)
        {
            Settle(batch);
        }

        (long logAfter, long allocatedAfter) = (LogSize(), GC.GetAllocatedBytesForCurrentThread());
        CountedCost.RequireAtMost("bytes of the log a settlement", (logAfter - logBefore) / (Batch * Batches), LogBytes);
        CountedCost.RequireAtMost("bytes allocated a settlement", (allocatedAfter - allocatedBefore) / (Batch * Batches), Allocated);
    }

    public void Dispose()
    {
        _file.Dispose();
        _spool.Dispose();
    }

    private void Settle(int number)
    {
        long first = _first + (number * Batch);
        var batch = new SettlementBatch(1, "127.0.0.1:5672", [.. Enumerable.Range(0, Batch).Select(i => new Settlement(first + i, DeliveryState.Delivered, 1_000_000_000))]);
        Assert.Equal(Batch, _file.Write(connection => _writer.Write_NeedsTransaction(connection, batch)));
    }

    private long LogSize() => new FileInfo(_spool.Path + "-wal").Length;
}
