namespace Quickq.SpoolCli.Service;

/// <summary>How long a command may wait for input that does not come.</summary>
internal sealed class InputPatience : IDisposable
{
    /// <summary>From the last thing that its client said, or from the start.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    private readonly ITimer _timer;

    /// <param name="isWaiting">Whether the command waits for input: its input has not ended, and it has read all of it.</param>
    /// <param name="over">Called once the command has waited for too long.</param>
    /// <param name="clock">The clock.</param>
    public InputPatience(Func<bool> isWaiting, Action over, TimeProvider clock) => _timer = clock.CreateTimer(
        _ =>
        {
            if (isWaiting())
            {
                over();
            }
            else
            {
                Renew();
            }
        },
        state: null, Limit, Timeout.InfiniteTimeSpan);

    /// <summary>The client has said something.</summary>
    public void Renew() => _timer!.Change(Limit, Timeout.InfiniteTimeSpan);

    public void Dispose() => _timer.Dispose();
}
