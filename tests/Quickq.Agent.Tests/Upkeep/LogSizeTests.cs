using Quickq.Agent.Settings;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Agent.Tests.Upkeep;

public sealed class LogSizeTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly TempSpool _spool = new();

    [Fact(Timeout = 120_000)]
    public async Task The_log_is_cut_back_while_producers_add_and_no_server_ever_answers()
    {
        RunningUpkeep.FillDelivered(_spool, 10);
        await using RunningUpkeep upkeep = RunningUpkeep.Start(_spool, new SpoolSettings());
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        byte[] body = Some.Bytes(1000);
        for (int i = 0; i < 30; i++)
        {
            writer.AppendMany([.. Enumerable.Range(0, 1000).Select(_ => new OutgoingMessage { Body = body })]);
        }

        await Eventually.Is("the log is under its limit of 8 MiB", Limit, () => new FileInfo(_spool.Path + "-wal").Length <= 8 << 20);
        Assert.InRange(new FileInfo(_spool.Path).Length, 24 << 20, long.MaxValue);
    }

    public void Dispose() => _spool.Dispose();
}
