using System.Diagnostics;
using Quickq.Spool;

namespace Quickq.Bench.Contestants;

/// <summary>A producer on a thread of its own that appends a message every few milliseconds, and notes how long each took: the wait for the lock and the commit.</summary>
internal sealed class SteadyAppends : IDisposable
{
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(2);
    private readonly ManualResetEventSlim _end = new();
    private readonly Lock _gate = new();
    private readonly Task _running;
    private List<double> _milliseconds = [];

    public SteadyAppends(string spool, ReadOnlyMemory<byte> body) =>
        _running = Task.Factory.StartNew(() => Produce(spool, body), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>What was noted since the last call.</summary>
    public List<double> Take()
    {
        lock (_gate)
        {
            (List<double> taken, _milliseconds) = (_milliseconds, []);
            return taken;
        }
    }

    public void Dispose()
    {
        _end.Set();
        _running.GetAwaiter().GetResult();
        _end.Dispose();
    }

    private void Produce(string spool, ReadOnlyMemory<byte> body)
    {
        using SpoolWriter writer = SpoolWriter.Open(spool);
        while (!_end.Wait(Pace))
        {
            long began = Stopwatch.GetTimestamp();
            writer.Append(AgentDrain.Message(body));
            double took = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
            lock (_gate)
            {
                _milliseconds.Add(took);
            }
        }
    }
}
