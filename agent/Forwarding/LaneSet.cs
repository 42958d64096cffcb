using Quickq.Agent.Settings;

namespace Quickq.Agent.Forwarding;

/// <summary>The lanes of one server, one for each exchange that a message was meant for. They outlive connections: a suspension does.</summary>
internal sealed class LaneSet(ServerSettings settings, ForwarderParts parts, InFlightWindow window, CancellationToken stopping)
{
    private readonly Dictionary<string, Lane> _byExchange = new(StringComparer.Ordinal);

    /// <summary>Set when the state of a lane changes, or the connection is blocked or free again.</summary>
    public Wakeup Changed { get; } = new();

    public IReadOnlyCollection<Lane> All => _byExchange.Values;

    /// <summary>The longest time for which any lane has waited for an answer.</summary>
    public TimeSpan LongestSilence => _byExchange.Values.Select(lane => lane.Silence).DefaultIfEmpty().Max();

    /// <summary>When the first of the lanes wants attention; null when none does by itself.</summary>
    public TimeSpan? DueIn => _byExchange.Values.Min(lane => lane.DueIn);

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

    public Lane For(string exchange)
    {
        if (!_byExchange.TryGetValue(exchange, out Lane? lane))
        {
            lane = new Lane(new LaneContext(settings, exchange, parts, window, Changed.Set, stopping));
            _byExchange.Add(exchange, lane);
        }

        return lane;
    }

    /// <summary>Closes the channels; what they knew of messages in flight is forgotten.</summary>
    public async ValueTask CloseAsync()
    {
        foreach (Lane lane in _byExchange.Values)
        {
            await lane.DisposeAsync();
            lane.ConnectionLost();
        }
    }
}
