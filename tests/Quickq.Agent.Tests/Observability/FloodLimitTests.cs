using Microsoft.Extensions.Logging;
using Quickq.Agent.Observability;
using Quickq.Agent.Tests.Broker;

namespace Quickq.Agent.Tests.Observability;

public sealed class FloodLimitTests : IDisposable
{
    private readonly HandTime _time = new();
    private readonly StringWriter _output = new();
    private readonly AgentLogging _logging;

    public FloodLimitTests() => _logging = new AgentLogging(LogLevel.Information, _output, journal: null, _time);

    private string[] Lines => _output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);

    [Fact]
    public void Of_many_like_lines_ten_are_written_and_the_rest_is_counted_at_the_end_of_the_minute()
    {
        Reject("mq1", 25);
        Assert.Equal(FloodLimit.Most, Lines.Length);

        _time.Advance(FloodLimit.Window);
        Assert.Equal(FloodLimit.Most + 1, Lines.Length);
        Assert.EndsWith(" WARN mq1: 15 more lines of the kind MessageRejected were left out within 00:01:00", Lines[^1], StringComparison.Ordinal);

        Reject("mq1", 1);
        Assert.Equal(FloodLimit.Most + 2, Lines.Length);
    }

    [Fact]
    public void One_server_or_kind_takes_nothing_from_another()
    {
        Reject("mq1", 25);
        Reject("mq2", 1);
        _logging.Own.Connected("mq1", "127.0.0.1:5672");

        Assert.Equal(FloodLimit.Most + 2, Lines.Length);
    }

    [Fact]
    public void A_flood_that_goes_on_is_told_of_every_minute()
    {
        foreach (var minute in Enumerable.Range(0, 3))
        {
            Reject("mq1", 25);
            _time.Advance(FloodLimit.Window);
        }

        Assert.Equal(3 * (FloodLimit.Most + 1), Lines.Length);
    }

    [Fact]
    public void Lines_that_come_one_by_one_are_all_written_and_no_timer_runs()
    {
        foreach (var minute in Enumerable.Range(0, 30))
        {
            Reject("mq1", 1);
            _time.Advance(TimeSpan.FromSeconds(7));
        }

        Assert.Equal(30, Lines.Length);
        Assert.Equal(0, _time.RunningTimers);
    }

    [Fact]
    public void What_was_left_out_is_told_when_the_agent_stops()
    {
        Reject("mq1", 12);
        _logging.Dispose();

        Assert.Contains("mq1: 2 more lines of the kind MessageRejected", Lines[^1], StringComparison.Ordinal);
    }

    public void Dispose() => _logging.Dispose();

    private void Reject(string server, int times)
    {
        foreach (var message in Enumerable.Range(0, times))
        {
            _logging.Own.MessageRejected(server, $"m{message}", "too large");
        }
    }
}
