using System.Globalization;
using Quickq.Spool.Files;
using Quickq.Spool.Systemd;
using Serilog.Core;
using Serilog.Events;

namespace Quickq.Agent.Observability;

/// <summary>Writes events to the systemd journal with their fields, and never waits for it.</summary>
/// <remarks>
/// While the journal takes nothing, up to <see cref="Patience"/> records are kept and sent again from time to time; what comes beyond
/// them is counted, and the count is said when the journal reads again. Where no journal is at all the event goes to the fallback.
/// Emit comes from any thread, the second attempts from a timer's; one lock guards both.
/// </remarks>
internal sealed class JournalSink : ILogEventSink, IDisposable
{
    /// <summary>Where journald listens on every system that has it.</summary>
    public const string Address = "/run/systemd/journal/socket";

    /// <summary>The kernel queues eleven records; a burst (ten servers come back at once) may be more than a busy journal reads in time.</summary>
    private const int Patience = 128;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private readonly DatagramSocket _socket;
    private readonly ILogEventSink _fallback;
    private readonly Action<long> _drained;
    private readonly ITimer _again;

    // Guarded by the gate.
    private readonly Queue<byte[]> _waiting = new();
    private TimeSpan _pause = FirstPause;
    private long _lost;

    /// <param name="address">The journal's socket.</param>
    /// <param name="fallback">What is written to while there is no journal.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="drained">Is told how many records were lost, once the journal reads again.</param>
    public JournalSink(string address, ILogEventSink fallback, TimeProvider clock, Action<long> drained)
    {
        (_socket, _fallback, _drained) = (new DatagramSocket(address), fallback, drained);
        _again = clock.CreateTimer(_ => TryAgain(), state: null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Emit(LogEvent logEvent)
    {
        var record = JournalRecord.Encode(logEvent);
        lock (_gate)
        {
            if (_waiting.Count == 0)
            {
                switch (_socket.Send(record))
                {
                    case DatagramFate.Taken:
                        return;
                    case DatagramFate.Full:
                        _pause = FirstPause;
                        _again.Change(_pause, Timeout.InfiniteTimeSpan);
                        break;
                    default:
                        _fallback.Emit(logEvent);
                        return;
                }
            }

            // In order: while older ones wait, a newer one waits behind them.
            if (_waiting.Count < Patience)
            {
                _waiting.Enqueue(record);
            }
            else
            {
                _lost++;
            }
        }
    }

    public void Dispose()
    {
        _again.Dispose();
        lock (_gate)
        {
            SendWaiting_NeedsLock();
        }

        _socket.Dispose();
    }

    private void TryAgain()
    {
        long lost;
        lock (_gate)
        {
            int before = _waiting.Count;
            if (!SendWaiting_NeedsLock())
            {
                _pause = _waiting.Count < before ? FirstPause : _pause * 2 < LongestPause ? _pause * 2 : LongestPause;
                _again.Change(_pause, Timeout.InfiniteTimeSpan);
                return;
            }

            (lost, _lost) = (_lost, 0);
        }

        if (lost > 0)
        {
            _drained(lost);
        }
    }

    private bool SendWaiting_NeedsLock()
    {
        while (_waiting.TryPeek(out var record))
        {
            switch (_socket.Send(record))
            {
                case DatagramFate.Full:
                    return false;
                case DatagramFate.Taken:
                    break;
                default:
                    _lost++; // the journal went away with its queue
                    break;
            }

            _waiting.Dequeue();
        }

        return true;
    }
}
