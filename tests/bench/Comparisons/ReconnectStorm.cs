using Quickq.Agent.Forwarding;
using Quickq.Agent.Timing;

namespace Quickq.Bench.Comparisons;

/// <summary>Many agents lose one broker at the same moment and come back when it does: the agent's own schedule, on simulated time.</summary>
/// <remarks>The broker accepts so many connections a second, has a queue for one second's worth of them, and lets the others fail; a failed attempt counts in the schedule.</remarks>
internal sealed class ReconnectStorm(int agents, int acceptsPerSecond)
{
    private const double Step = 0.1; // seconds

    /// <summary>Plays an outage of so many seconds through.</summary>
    /// <param name="outage">Until the broker is there again.</param>
    /// <param name="jitter">Whether the schedule draws its delays, as it does, or always takes the longest.</param>
    public Outcome Play(double outage, bool jitter)
    {
        var dice = new Random(1);
        var schedule = RetrySchedule.ForConnecting(jitter ? dice.NextDouble : () => 0.999_999);
        var due = new PriorityQueue<int, double>();
        int[] failures = new int[agents];
        for (int agent = 0; agent < agents; agent++)
        {
            due.Enqueue(agent, schedule.DelayAfter(1).TotalSeconds);
        }

        (int back, long attempts, int inStep, int peak, double stepEnd, double room, double half) = (0, 0, 0, 0, outage + Step, acceptsPerSecond, 0);
        while (due.TryDequeue(out int agent, out double now))
        {
            attempts++;
            while (now >= stepEnd)
            {
                (stepEnd, inStep, room) = (stepEnd + Step, 0, Math.Min(acceptsPerSecond, room + (acceptsPerSecond * Step)));
            }

            inStep += now >= outage ? 1 : 0;
            peak = Math.Max(peak, inStep);
            if (now >= outage && room >= 1)
            {
                room--;
                half = ++back == agents / 2 ? now - outage : half;
                if (back == agents)
                {
                    return new Outcome((double)attempts / agents, peak / Step, half, now - outage);
                }
            }
            else
            {
                due.Enqueue(agent, now + schedule.DelayAfter(++failures[agent] + 1).TotalSeconds);
            }
        }

        throw new InvalidOperationException("some agents never came back");
    }

    /// <param name="AttemptsEach">From the loss to the return.</param>
    /// <param name="PeakPerSecond">Attempts in the fullest tenth of a second after the return, as a rate.</param>
    /// <param name="HalfBack">Seconds until half are connected.</param>
    /// <param name="AllBack">Seconds until all are.</param>
    internal sealed record Outcome(double AttemptsEach, double PeakPerSecond, double HalfBack, double AllBack);
}
