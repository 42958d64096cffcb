using Quickq.Agent.Broker;

namespace Quickq.Agent.Tests.Broker;

public sealed class PublishWatchdogTests : IDisposable
{
    private readonly HandTime _time = new();
    private readonly PublishWatchdog _watchdog;
    private bool _blocked;
    private int _breaches;

    public PublishWatchdogTests() => _watchdog = new PublishWatchdog(_time, TimeSpan.FromSeconds(30), () => _blocked, () => _breaches++);

    [Fact]
    public void A_publish_that_waits_too_long_is_told_once()
    {
        _watchdog.Began();
        _time.Advance(TimeSpan.FromSeconds(29));
        Assert.Equal(0, _breaches);
        _time.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal(1, _breaches);
        _time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(1, _breaches);
    }

    [Fact]
    public void Many_short_waits_are_not_one_long_one()
    {
        for (var i = 0; i < 1_000; i++)
        {
            _watchdog.Began();
            _time.Advance(TimeSpan.FromSeconds(25));
            _watchdog.Ended();
            _time.Advance(TimeSpan.FromMilliseconds(1));
        }

        Assert.Equal(0, _breaches);
    }

    [Fact]
    public void The_clock_stands_still_while_blocked()
    {
        _watchdog.Began();
        _blocked = true;
        _time.Advance(TimeSpan.FromHours(5));
        Assert.Equal(0, _breaches);
        _blocked = false;
        _time.Advance(TimeSpan.FromSeconds(25));
        Assert.Equal(0, _breaches);
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(1, _breaches);
    }

    [Fact]
    public void No_timer_runs_when_nobody_publishes()
    {
        Assert.Equal(0, _time.RunningTimers);
        _watchdog.Began();
        _watchdog.Ended();
        Assert.Equal(1, _time.RunningTimers);
        _time.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal(0, _time.RunningTimers);
        _watchdog.Began();
        Assert.Equal(1, _time.RunningTimers);
    }

    public void Dispose() => _watchdog.Dispose();
}
