using Microsoft.Extensions.Logging;
using Quickq.Agent.Observability;
using Quickq.Agent.Tests.Broker;
using Quickq.Spool.Systemd;
using Quickq.Testing;

namespace Quickq.Agent.Tests.Observability;

public sealed class WatchdogNotifierTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan TooLong = LoopLiveness.Limit + TimeSpan.FromSeconds(1);
    private readonly HandTime _time = new();
    private readonly LoopLiveness _pulse;

    public WatchdogNotifierTests() => _pulse = new LoopLiveness("mq1", _time);

    [Fact]
    public void A_loop_that_beats_is_well_and_one_that_does_not_stalls()
    {
        foreach (var beat in Enumerable.Range(0, 5))
        {
            _time.Advance(LoopLiveness.Limit);
            Assert.Null(_pulse.Stall());
            _pulse.Beat();
        }

        _time.Advance(TooLong);
        Assert.Equal((TooLong, "at work"), _pulse.Stall());
    }

    [Fact]
    public void A_named_wait_without_end_is_no_stall_and_one_with_an_end_is_when_it_is_over()
    {
        _pulse.Waits("for the ledger");
        _time.Advance(TimeSpan.FromDays(3));
        Assert.Null(_pulse.Stall());

        _pulse.Waits("to connect again", TimeSpan.FromSeconds(30));
        _time.Advance(TimeSpan.FromSeconds(30) + LoopLiveness.Limit);
        Assert.Null(_pulse.Stall());
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("to connect again", _pulse.Stall()!.Value.Doing);

        _pulse.Beat();
        Assert.Null(_pulse.Stall());
    }

    [Fact]
    public void What_hangs_while_the_broker_blocks_is_excused()
    {
        bool blocked = true;
        _pulse.ExcusedWhile(() => blocked);
        _time.Advance(TooLong);
        Assert.Null(_pulse.Stall());

        blocked = false;
        Assert.NotNull(_pulse.Stall());
    }

    [Fact(Timeout = 60_000)]
    public async Task The_feed_comes_at_half_the_period_stops_at_a_stall_and_comes_again_after_it()
    {
        using var systemd = new NotifySocket($"@quickq-{Guid.NewGuid():N}");
        using var notice = new SystemdNotice(systemd.Address, Period, TimeProvider.System);
        using var output = new StringWriter();
        using var logging = new AgentLogging(LogLevel.Information, output, journal: null, _time);
        using var stop = new CancellationTokenSource();
        Task runs = new WatchdogNotifier(notice, () => [new LoopLiveness("the ledger", _time), _pulse], _time, logging.Own).RunAsync(stop.Token);

        await systemd.AwaitAsync("WATCHDOG=1", Limit);
        await TurnAsync(Period / 2);
        await systemd.AwaitAsync("WATCHDOG=1", Limit, times: 2);

        // Up to the limit it may be fed; once it was found to stall, no more, and that is told once.
        await TurnAsync(TooLong);
        await Eventually.Is("the stall is told", Limit, () => output.ToString().Length > 0);
        int fed = systemd.Count("WATCHDOG=1");
        await TurnAsync(Period / 2);
        await TurnAsync(Period / 2);
        Assert.Equal(fed, systemd.Count("WATCHDOG=1"));
        Assert.Matches(@"\A[^\n]* CRITICAL no progress of mq1 for 00:01:\d\d \(at work\): [^\n]*\n\z", output.ToString());

        _pulse.Beat();
        await TurnAsync(Period / 2);
        await systemd.AwaitAsync("WATCHDOG=1", Limit, times: fed + 1);
        await Eventually.Is("it is told", Limit, () => output.ToString().Contains(" WARN everything makes progress again", StringComparison.Ordinal));

        await stop.CancelAsync();
        await runs;
    }

    public void Dispose() => _pulse.ExcusedWhile(excuse: null);

    // The loop's next delay must have begun before the clock is moved.
    private async Task TurnAsync(TimeSpan by)
    {
        await Eventually.Is("the feed waits for its time", Limit, () => _time.RunningTimers == 1);
        _time.Advance(by);
        await Eventually.Is("the feed has looked and waits again", Limit, () => _time.RunningTimers == 1);
    }
}
