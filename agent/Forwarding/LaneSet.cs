using System.Collections.Concurrent;
using Quickq.Agent.Settings;

namespace Quickq.Agent.Forwarding;

/// <summary>The lanes of one server, one for each exchange that a message was meant for. They outlive connections: a suspension does.</summary>
/// <remarks>A message that made the broker close a channel goes another time by a side lane of its exchange: should it do so again, no innocent one is sent twice for it.</remarks>
internal sealed class LaneSet(ServerSettings settings, ForwarderParts parts, InFlightWindow window, CancellationToken stopping)
{
    private readonly Dictionary<string, Lane> _byExchange = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Lane> _aside = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<long, bool> _closedChannel = new();
    private long _forgivenAt = parts.Clock.GetTimestamp();
    private long _sweptAt = parts.Clock.GetTimestamp();

    /// <summary>Set when the state of a lane changes, or the connection is blocked or free again.</summary>
    public Wakeup Changed { get; } = new();

    public IEnumerable<Lane> All => _byExchange.Values.Concat(_aside.Values);

    /// <summary>For how long the broker has answered nothing at all, although messages were out and it could; zero when none are out.</summary>
    public TimeSpan Silence => All.Min(lane => lane.Silence) is not { } silence ? TimeSpan.Zero : silence < SinceForgiven ? silence : SinceForgiven;

    /// <summary>When the first of the lanes wants attention; null when none does by itself.</summary>
    public TimeSpan? DueIn => All.Min(lane => lane.DueIn);

    private TimeSpan SinceForgiven => parts.Clock.GetElapsedTime(Volatile.Read(ref _forgivenAt));

    /// <summary>The broker could not answer until now. Any thread.</summary>
    public void ForgiveSilence() => Volatile.Write(ref _forgivenAt, parts.Clock.GetTimestamp());

    /// <summary>Messages that got no answer within the deadline, while others did, are tried again later: nobody waits for ever for one confirm.</summary>
    public void DeferOverdue(TimeSpan deadline)
    {
        if (SinceForgiven >= deadline && parts.Clock.GetElapsedTime(_sweptAt) >= deadline)
        {
            _sweptAt = parts.Clock.GetTimestamp();
            foreach (Lane lane in All)
            {
                lane.DeferOverdue();
            }
        }
    }

    /// <summary>Probes these exchanges now, should they be suspended.</summary>
    public void ProbeNow(IEnumerable<string> exchanges)
    {
        foreach (string exchange in exchanges)
        {
            For(_byExchange, exchange).ProbeNow();
        }
    }

    /// <summary>The exchanges that take nothing now; each notes that it was passed by from here on.</summary>
    public IReadOnlyCollection<string> PassBy(long position)
    {
        List<string>? closed = null;
        foreach ((string exchange, Lane lane) in _byExchange)
        {
            if (!lane.Accepts)
            {
                lane.Skip(position + 1);
                (closed ??= []).Add(exchange);
            }
        }

        return closed ?? (IReadOnlyCollection<string>)[];
    }

    /// <summary>The way that a message for this exchange goes.</summary>
    public Lane For(string exchange, long seq) => For(_closedChannel.ContainsKey(seq) ? _aside : _byExchange, exchange);

    /// <summary>Closes the channels; what they knew of messages in flight is forgotten.</summary>
    public async ValueTask CloseAsync()
    {
        foreach (Lane lane in All)
        {
            await lane.DisposeAsync();
            lane.ConnectionLost();
        }
    }

    /// <summary>Forgets what is in flight, without a word to the broker.</summary>
    public void ConnectionLost()
    {
        foreach (Lane lane in All)
        {
            lane.ConnectionLost();
        }
    }

    private Lane For(Dictionary<string, Lane> lanes, string exchange)
    {
        if (!lanes.TryGetValue(exchange, out Lane? lane))
        {
            lane = new Lane(new LaneContext(settings, exchange, parts, window, Changed.Set, stopping) { ClosedChannel = _closedChannel });
            lanes.Add(exchange, lane);
        }

        return lane;
    }
}
