namespace Quickq.Agent.Broker;

/// <summary>
/// Tells a dead link from a broker that blocks us and reads nothing: then the kernel cannot, and the client's own count of heartbeats takes two and a
/// quarter of them. Looks every second whether anything came from the broker, whose heartbeats come twice as often as agreed; costs nothing while not blocked.
/// </summary>
/// <remarks><see cref="Begin"/> and <see cref="End"/> come from the client's reader, a breach is told on a timer's thread, at most once.</remarks>
internal sealed class BlockedConnectionMonitor : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly BrokerSocket _socket;
    private readonly TimeSpan _limit;
    private readonly Action<string> _breached;
    private readonly ITimer _timer;

    public BlockedConnectionMonitor(BrokerSocket socket, TimeSpan heartbeat, TimeProvider time, Action<string> breached)
    {
        // With a heartbeat of 10 s: 18 s, and a second for the look.
        (_socket, _limit, _breached) = (socket, heartbeat * 1.8, breached);
        _timer = time.CreateTimer(_ => Look(), state: null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>The broker blocks from now on.</summary>
    public void Begin()
    {
        _socket.ResetConfirmTimeout();
        _timer.Change(Interval, Interval);
    }

    /// <summary>It reads again.</summary>
    public void End()
    {
        _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _socket.WatchForSilence();
    }

    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        if (_socket.SinceReceived > _limit)
        {
            _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _breached(LossReason.NoSignOfLife(_limit));
        }
    }
}
