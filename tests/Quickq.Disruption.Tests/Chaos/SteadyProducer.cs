using Quickq.Testing;
using Quickq.Testing.Auditing;

namespace Quickq.Disruption.Tests;

/// <summary>A producer that goes on for as long as the test lasts: captured events, over and over, a few at a time, through one <c>quickq-spool add --lines</c>.</summary>
internal sealed class SteadyProducer : IDisposable
{
    private const int LargestBurst = 8;
    private static readonly TimeSpan ExitLimit = TimeSpan.FromSeconds(60);
    private readonly string _exchange;
    private readonly Random _dice = new(Some.Number(0, int.MaxValue - 1));
    private readonly ChildProcess _child;
    private readonly CancellationTokenSource _enough = new();
    private readonly List<SsecEvent> _given = [];
    private readonly Task _feeding;

    private SteadyProducer(TempSpool spool, string exchange, TimeSpan longestPause)
    {
        _exchange = exchange;
        _child = new SpoolCommand(spool).Start("add", "--lines", "-t", "{__topic__}", "-x", exchange);
        _feeding = Task.Run(() => FeedAsync(longestPause));
    }

    /// <summary>Starts it; between two bursts it rests for up to <paramref name="longestPause"/>.</summary>
    public static SteadyProducer Start(TempSpool spool, string exchange, TimeSpan longestPause) => new(spool, exchange, longestPause);

    /// <summary>Ends it; every event that it gave must have been given an id.</summary>
    public async Task<IReadOnlyList<AcceptedMessage>> FinishAsync()
    {
        await _enough.CancelAsync();
        await _feeding;
        var result = new CommandResult(await _child.WaitForExitAsync(ExitLimit), _child.Stdout, _child.Stderr).MustSucceed();
        Assert.Equal(_given.Count, result.Lines.Count);
        return AcceptedMessage.Of(result.Lines, _given, _exchange);
    }

    public void Dispose()
    {
        _enough.Cancel();
        _child.Dispose();
        _enough.Dispose();
    }

    private async Task FeedAsync(TimeSpan longestPause)
    {
        while (!_enough.IsCancellationRequested)
        {
            SsecEvent[] burst = [.. Enumerable.Range(_given.Count, _dice.Next(1, LargestBurst + 1)).Select(number => SsecEvents.All[number % SsecEvents.All.Count])];
            _given.AddRange(burst);
            await _child.Stdin.BaseStream.WriteAsync(burst.SelectMany(item => item.Payload.Append((byte)'\n')).ToArray(), CancellationToken.None);
            await _child.Stdin.BaseStream.FlushAsync(CancellationToken.None);

            // Not a wait for anything: the shape of the load.
            await Task.WhenAny(Task.Delay(longestPause * _dice.NextDouble(), TimeProvider.System, _enough.Token));
        }

        _child.Stdin.Close();
    }
}
