using BenchmarkDotNet.Attributes;
using Quickq.Agent.Feed;

namespace Quickq.Bench.Small;

/// <summary>A page of due messages is read.</summary>
public class FeedBenchmark
{
    private const int Page = 256;
    private SmallSpool _spool = null!;
    private SpoolFeed _feed = null!;

    [GlobalSetup]
    public void Open()
    {
        _spool = new SmallSpool(Page);
        _feed = new SpoolFeed(_spool.Path, server: 1);
    }

    [GlobalCleanup]
    public void Close()
    {
        _feed.Dispose();
        _spool.Dispose();
    }

    [Benchmark(Description = "feed, 256 in a page", OperationsPerInvoke = Page)]
    public int Read()
    {
        _feed.GoBackBefore(1);
        return _feed.Next(Page, long.MaxValue, long.MaxValue, filter: null).Count;
    }
}
