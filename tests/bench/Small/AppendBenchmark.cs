using BenchmarkDotNet.Attributes;
using Quickq.Spool;

namespace Quickq.Bench.Small;

/// <summary>A message becomes durable: alone, and with 999 others.</summary>
public class AppendBenchmark
{
    private const int Many = 1_000;
    private readonly OutgoingMessage[] _messages = [.. Enumerable.Repeat(SmallSpool.Message, Many)];
    private SmallSpool _spool = null!;

    [GlobalSetup]
    public void Open() => _spool = new SmallSpool(messages: 0);

    [GlobalCleanup]
    public void Close() => _spool.Dispose();

    [Benchmark(Description = "append, one in a transaction")]
    public string One() => _spool.Writer.Append(SmallSpool.Message);

    [Benchmark(Description = "append, 1,000 in a transaction", OperationsPerInvoke = Many)]
    public IReadOnlyList<string> Thousand() => _spool.Writer.AppendMany(_messages);
}
