using Serilog.Core;
using Serilog.Events;

namespace Quickq.Agent.Observability;

/// <summary>Lets through at most <see cref="Most"/> events of one kind and server within <see cref="Window"/>; the rest is counted, and the count told at the window's end.</summary>
/// <remarks>Costs nothing while nothing is left out. Any thread.</remarks>
internal sealed class FloodLimit : ILogEventSink, IDisposable
{
    public const int Most = 10;
    public static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly ILogEventSink _inner;
    private readonly TimeProvider _clock;
    private readonly Action<LeftOut> _tell;
    private readonly ITimer _end;
    private readonly Dictionary<(int Id, string Server), Flow> _flows = [];

    /// <param name="inner">Where events go.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="tell">Is told what was left out; what it logs about that may come through here and is not counted.</param>
    public FloodLimit(ILogEventSink inner, TimeProvider clock, Action<LeftOut> tell)
    {
        (_inner, _clock, _tell) = (inner, clock, tell);
        _end = clock.CreateTimer(_ => TellWhatEnded(), state: null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Emit(LogEvent logEvent)
    {
        var kind = EventKind.Of(logEvent);
        if (kind.Id is AgentLog.LinesLeftOutId or AgentLog.ServerLinesLeftOutId || Passes(kind, EventKind.ServerOf(logEvent)))
        {
            _inner.Emit(logEvent);
        }
    }

    /// <summary>Tells what is still untold.</summary>
    public void Dispose()
    {
        _end.Dispose();
        Tell(_ => true);
        (_inner as IDisposable)?.Dispose();
    }

    private bool Passes(EventKind kind, string? server)
    {
        lock (_gate)
        {
            var key = (kind.Id, server ?? "");
            if (!_flows.TryGetValue(key, out var flow))
            {
                _flows.Add(key, flow = new Flow(kind.Name, server));
            }

            if (flow.Passed == 0 || (flow.LeftOut == 0 && _clock.GetElapsedTime(flow.BeganAt) >= Window))
            {
                (flow.BeganAt, flow.Passed) = (_clock.GetTimestamp(), 0);
            }

            if (flow.Passed < Most)
            {
                flow.Passed++;
                return true;
            }

            if (_flows.Values.All(other => other.LeftOut == 0))
            {
                _end.Change(Window, Timeout.InfiniteTimeSpan);
            }

            flow.LeftOut++;
            return false;
        }
    }

    private void TellWhatEnded()
    {
        Tell(flow => _clock.GetElapsedTime(flow.BeganAt) >= Window);
        lock (_gate)
        {
            if (_flows.Values.Any(flow => flow.LeftOut > 0))
            {
                _end.Change(Window, Timeout.InfiniteTimeSpan);
            }
        }
    }

    private void Tell(Func<Flow, bool> which)
    {
        var told = new List<LeftOut>();
        lock (_gate)
        {
            foreach (var flow in _flows.Values.Where(flow => flow.LeftOut > 0 && which(flow)))
            {
                told.Add(new LeftOut(flow.Kind, flow.Server, flow.LeftOut));
                (flow.Passed, flow.LeftOut) = (0, 0);
            }
        }

        told.ForEach(_tell);
    }

    private sealed class Flow(string kind, string? server)
    {
        public string Kind { get; } = kind;

        public string? Server { get; } = server;

        public long BeganAt { get; set; }

        public int Passed { get; set; }

        public long LeftOut { get; set; }
    }
}

/// <summary>So many events of one kind, of one server or of none, were not written.</summary>
internal readonly record struct LeftOut(string Kind, string? Server, long Count);
