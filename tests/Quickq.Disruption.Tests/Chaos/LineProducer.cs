using Quickq.Testing;
using Quickq.Testing.Auditing;

namespace Quickq.Disruption.Tests;

/// <summary>A producer as the SSEC has them: captured events go through one <c>quickq-spool add --lines</c>, in bursts and pauses drawn from the seed.</summary>
internal sealed class LineProducer : IDisposable
{
    private const int LargestBurst = 20;
    private static readonly TimeSpan ExitLimit = TimeSpan.FromSeconds(60);
    private readonly IReadOnlyList<SsecEvent> _events;
    private readonly string _exchange;
    private readonly ChildProcess _child;
    private readonly Task _feeding;

    private LineProducer(TempSpool spool, IReadOnlyList<SsecEvent> events, string exchange, TimeSpan longestPause)
    {
        _events = events;
        _exchange = exchange;
        var plan = Plan(events.Count, longestPause);
        _child = new SpoolCommand(spool).Start("add", "--lines", "-t", "{__topic__}", "-x", exchange);
        _feeding = Task.Run(() => FeedAsync(plan));
    }

    /// <summary>How many ids were printed so far.</summary>
    public int Printed => _child.Stdout.Count(letter => letter == '\n');

    /// <summary>Starts it; it ends by itself when all events are given.</summary>
    public static LineProducer Start(TempSpool spool, IEnumerable<SsecEvent> events, string exchange, TimeSpan longestPause) =>
        new(spool, [.. events], exchange, longestPause);

    /// <summary>Waits for its end; every event must have been given an id.</summary>
    public async Task<IReadOnlyList<AcceptedMessage>> FinishAsync()
    {
        await _feeding;
        var result = new CommandResult(await _child.WaitForExitAsync(ExitLimit), _child.Stdout, _child.Stderr).MustSucceed();
        Assert.Equal(_events.Count, result.Lines.Count);
        return AcceptedMessage.Of(result.Lines, _events, _exchange);
    }

    public void Dispose() => _child.Dispose();

    // Drawn beforehand, on the test's own thread: its random source belongs to that.
    private static List<(int Burst, TimeSpan Pause)> Plan(int events, TimeSpan longestPause)
    {
        var plan = new List<(int Burst, TimeSpan Pause)>();
        for (var left = events; left > 0; left -= plan[^1].Burst)
        {
            plan.Add((Math.Min(left, Some.Number(1, LargestBurst)), Some.Time(TimeSpan.Zero, longestPause)));
        }

        return plan;
    }

    private async Task FeedAsync(List<(int Burst, TimeSpan Pause)> plan)
    {
        var next = 0;
        foreach (var (burst, pause) in plan)
        {
            var lines = _events.Skip(next).Take(burst).SelectMany(item => item.Payload.Append((byte)'\n')).ToArray();
            next += burst;
            await _child.Stdin.BaseStream.WriteAsync(lines);
            await _child.Stdin.BaseStream.FlushAsync();

            // Not a wait for anything: the shape of the load.
            await Task.Delay(pause, TimeProvider.System);
        }

        _child.Stdin.Close();
    }
}
