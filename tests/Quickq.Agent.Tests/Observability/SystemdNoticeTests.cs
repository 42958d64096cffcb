using Quickq.Agent.Observability;
using Quickq.Spool.Systemd;
using Quickq.Testing;

namespace Quickq.Agent.Tests.Observability;

public sealed class SystemdNoticeTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private readonly TempFolder _folder = new("notify");

    [Theory(Timeout = 60_000)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task All_notices_arrive_at_a_path_or_an_abstract_name(bool isAbstract)
    {
        using var systemd = new NotifySocket(isAbstract ? $"@quickq-{Guid.NewGuid():N}" : _folder.File("notify"));
        using var notice = new SystemdNotice(systemd.Address, TimeSpan.FromSeconds(10), TimeProvider.System);

        notice.Ready();
        notice.Status("one\ntwo");
        notice.Reloading();
        notice.Ready();
        notice.FeedWatchdog();
        notice.Stopping();
        notice.Ready();
        notice.Status("last");

        await systemd.AwaitAsync("STATUS=last", Limit);
        var heard = systemd.Heard.ToList();
        int monotonic = heard.FindIndex(said => said.StartsWith("MONOTONIC_USEC=", StringComparison.Ordinal));
        Assert.InRange(MonotonicNow() - long.Parse(heard[monotonic]["MONOTONIC_USEC=".Length..]), -1_000_000, 120_000_000);
        heard.RemoveAt(monotonic);
        Assert.Equal(["READY=1", "STATUS=one\\ntwo", "RELOADING=1", "READY=1", "WATCHDOG=1", "STOPPING=1", "STATUS=last"], heard);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_systemd_that_hangs_stops_nobody_and_hears_the_newest_later()
    {
        using var systemd = new NotifySocket(_folder.File("notify"), reads: false);
        using var notice = new SystemdNotice(systemd.Address, watchdogPeriod: null, TimeProvider.System);
        foreach (int step in Enumerable.Range(0, 100))
        {
            notice.Status($"{step}");
        }

        notice.Ready();
        systemd.Listen();

        await systemd.AwaitAsync("READY=1", Limit);
        Assert.Equal("STATUS=99", systemd.Heard[^2]);
        Assert.Equal("READY=1", systemd.Heard[^1]);
        Assert.InRange(systemd.Heard.Count, 3, 50);
    }

    [Fact]
    public void Without_systemd_nothing_is_said()
    {
        using var notice = new SystemdNotice(socket: null, TimeSpan.FromSeconds(10), TimeProvider.System);
        notice.Ready();
        notice.Stopping();

        Assert.False(notice.IsHeard);
        Assert.Null(notice.WatchdogPeriod);
    }

    public void Dispose() => _folder.Dispose();

    // The clock that MONOTONIC_USEC is read from, by another way that is some milliseconds coarse.
    private static long MonotonicNow() => Environment.TickCount64 * 1_000;
}
