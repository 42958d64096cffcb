using System.Diagnostics;

namespace Quickq.Testing;

/// <summary>Bounded waits for a named condition: the only way in which a test lets time pass.</summary>
public static class Eventually
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(100);

    /// <summary>Waits until <paramref name="probe"/> says yes. What the probe throws ends the wait at once.</summary>
    public static Task Is(string condition, TimeSpan limit, Func<bool> probe) =>
        Is(condition, limit, () => Task.FromResult(probe()));

    /// <inheritdoc cref="Is(string, TimeSpan, Func{bool})"/>
    public static Task Is(string condition, TimeSpan limit, Func<Task<bool>> probe) =>
        PollAsync(condition, limit, async () => (await probe(), "it was not so"));

    /// <summary>As <see cref="Is(string, TimeSpan, Func{bool})"/>, for a condition that passes quickly: looks every few milliseconds.</summary>
    public static Task Closely(string condition, TimeSpan limit, Func<bool> probe) =>
        PollAsync(condition, limit, () => Task.FromResult((probe(), "it was not so")), FirstPause);

    /// <summary>Waits until <paramref name="probe"/> gives <paramref name="expected"/>; the failure names what it gave last.</summary>
    public static Task Gives<T>(string condition, T expected, TimeSpan limit, Func<T> probe) =>
        Gives(condition, expected, limit, () => Task.FromResult(probe()));

    /// <inheritdoc cref="Gives{T}(string, T, TimeSpan, Func{T})"/>
    public static Task Gives<T>(string condition, T expected, TimeSpan limit, Func<Task<T>> probe) =>
        PollAsync(condition, limit, async () =>
        {
            var actual = await probe();
            return (EqualityComparer<T>.Default.Equals(actual, expected), $"expected {expected}, seen last: {actual}");
        });

    /// <summary>Repeats <paramref name="act"/> until it does not throw; the failure carries what it threw last.</summary>
    public static async Task Succeeds(string condition, TimeSpan limit, Func<Task> act)
    {
        Exception? last = null;
        try
        {
            await PollAsync(condition, limit, async () =>
            {
                try
                {
                    await act();
                    return (true, "");
                }
                catch (Exception failure) when (failure is not OperationCanceledException)
                {
                    last = failure;
                    return (false, $"{failure.GetType().Name}: {failure.Message}");
                }
            });
        }
        catch (ConditionNotMetException notMet)
        {
            throw new ConditionNotMetException(notMet.Message, last);
        }
    }

    private static async Task PollAsync(string condition, TimeSpan limit, Func<Task<(bool Met, string Seen)>> probe, TimeSpan? longestPause = null)
    {
        var clock = Stopwatch.StartNew();
        var pause = FirstPause;
        for (var probes = 1; ; probes++)
        {
            var (met, seen) = await probe();
            if (met)
            {
                return;
            }

            if (clock.Elapsed >= limit)
            {
                throw new ConditionNotMetException(
                    $"Waited {clock.Elapsed.TotalSeconds:F1} s (limit {limit.TotalSeconds:F0} s, {probes} probes) for: {condition}; {seen}");
            }

            await Task.Delay(pause, TimeProvider.System);
            pause = pause < (longestPause ?? LongestPause) ? pause * 2 : pause;
        }
    }
}
