using Microsoft.Extensions.Logging;
using Quickq.Agent.Observability;
using Quickq.Agent.Tests.Upkeep;
using Quickq.Agent.Timing;
using Quickq.Agent.Upkeep;
using Quickq.Spool;

namespace Quickq.Agent.Tests.Timing;

public sealed class ExpiryClockTests : IDisposable
{
    private static readonly TimeSpan Day = TimeSpan.FromDays(1), Minute = TimeSpan.FromMinutes(1);
    private readonly SetClock _clock = new();
    private readonly StringWriter _log = new();
    private readonly AgentLogging _logging;
    private readonly ExpiryClock _expiry;

    public ExpiryClockTests()
    {
        _logging = new AgentLogging(LogLevel.Information, _log, journal: null, TimeProvider.System);
        _expiry = new ExpiryClock(_clock, _clock.SinceBoot, _logging.Factory.CreateLogger("test"));
    }

    [Fact]
    public void A_message_is_over_when_its_time_has_come()
    {
        long at = Micros(_clock.GetUtcNow() + Minute);

        Assert.False(_expiry.IsOver(at));
        _clock.Passed += Minute * 3;
        Assert.True(_expiry.IsOver(at));
        Assert.Empty(_log.ToString());
    }

    [Theory]
    [InlineData(1, "forward")]
    [InlineData(-1, "back")]
    public void After_a_step_of_the_clock_nothing_expires_for_five_minutes_and_it_says_so(int direction, string word)
    {
        long over = Micros(_clock.GetUtcNow() - (Day * 2)), soon = Micros(_clock.GetUtcNow() + (Day / 2));
        Assert.True(_expiry.IsOver(over));

        _clock.WallOffset += Day * direction;

        Assert.False(_expiry.IsOver(over));
        Assert.False(_expiry.IsOver(soon));
        _clock.Passed += Minute * 4.9;
        Assert.False(_expiry.IsOver(over));
        _clock.Passed += Minute * 0.2;
        Assert.True(_expiry.IsOver(over));
        Assert.Equal(direction > 0, _expiry.IsOver(soon));
        Assert.Contains($"WARN the clock was set {word} by 1.00:00:00: for five minutes no message expires", _log.ToString(), StringComparison.Ordinal);
        Assert.Contains("messages expire again", _log.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_clock_that_is_put_right_again_waits_anew()
    {
        long over = Micros(_clock.GetUtcNow() - Minute);
        _clock.WallOffset += Day;
        Assert.False(_expiry.IsOver(over));
        _clock.Passed += Minute * 4;
        _clock.WallOffset -= Day;
        Assert.False(_expiry.IsOver(over));

        _clock.Passed += Minute * 4;

        Assert.False(_expiry.IsOver(over));
        _clock.Passed += Minute * 1.1;
        Assert.True(_expiry.IsOver(over));
    }

    [Fact]
    public void Suspended_hours_and_slow_adjustments_are_no_step()
    {
        long over = Micros(_clock.GetUtcNow() - Minute);
        _clock.Passed += Day;
        Assert.True(_expiry.IsOver(over));
        for (int i = 0; i < 10; i++)
        {
            _clock.WallOffset += Minute * 0.9;
            Assert.True(_expiry.IsOver(over));
        }

        Assert.Empty(_log.ToString());
    }

    [Fact]
    public void What_is_left_goes_with_the_message_and_is_never_more_than_it_had_nor_nothing_by_a_clock_that_was_set()
    {
        long created = Micros(_clock.GetUtcNow()), expires = created + (3600 * 1_000_000L);
        _clock.Passed += Minute * 20;
        Assert.Equal(40, Math.Round(_expiry.TimeLeft(created, expires)!.Value.TotalMinutes));

        _clock.WallOffset = -Day;
        Assert.Equal(60, _expiry.TimeLeft(created, expires)!.Value.TotalMinutes);
        _clock.WallOffset = Day;
        Assert.Equal(60, _expiry.TimeLeft(created, expires)!.Value.TotalMinutes);
        Assert.Null(_expiry.TimeLeft(created, created - 1));
    }

    public void Dispose() => _logging.Dispose();

    private static long Micros(DateTimeOffset time) => SpoolTime.ToMicroseconds(time);
}
