using BenchmarkDotNet.Attributes;
using Quickq.Agent.Forwarding;
using Quickq.Agent.Settings;
using Quickq.Agent.Timing;

namespace Quickq.Bench.Small;

/// <summary>An outcome becomes a state; a number of failures becomes a delay.</summary>
public class PolicyBenchmark
{
    private readonly RetrySchedule _schedule = RetrySchedule.ForRefusals(() => 0.5);
    private int _failures;

    [Benchmark(Description = "policy, one outcome")]
    public bool Decide() => OutcomePolicy.Decide(PublishOutcome.Unrouted, Unroutable.Accept).Unrouted;

    [Benchmark(Description = "policy, one delay")]
    public TimeSpan Delay() => _schedule.DelayAfter(++_failures & 15);
}
