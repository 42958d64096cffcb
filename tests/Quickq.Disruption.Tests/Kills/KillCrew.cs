using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>One process that is killed and started again and again; what it had printed counts.</summary>
internal sealed class KillCrew(Func<ChildProcess> start, Func<string>? nextLine = null) : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(2);
    private ChildProcess? _child;
    private Task _feeding = Task.CompletedTask;

    /// <summary>Ids that were printed, by whole lines.</summary>
    public List<string> Ids { get; } = [];

    /// <summary>Whether it has ended by itself.</summary>
    public bool HasEnded => _child is { HasExited: true };

    public KillCrew Begin()
    {
        ChildProcess child = _child = start();
        if (nextLine is not null)
        {
            _feeding = Task.Run(async () =>
            {
                try
                {
                    while (!child.HasExited)
                    {
                        await child.Stdin.WriteAsync(nextLine() + "\n");
                        await child.Stdin.FlushAsync();

                        // Not a wait for anything: the shape of the load.
                        await Task.Delay(Pause, TimeProvider.System);
                    }
                }
                catch (IOException)
                {
                    // It was killed: what it had read without printing an id does not count.
                }
            });
        }

        return this;
    }

    public async Task KillAsync()
    {
        _child!.Kill();
        await _child.WaitForExitAsync(TimeSpan.FromSeconds(60));
        await _feeding;
        string printed = _child.Stdout;
        Ids.AddRange(printed[..(printed.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries));
        _child.Dispose();
        _child = null;
    }

    public async Task RestartAsync()
    {
        await KillAsync();
        Begin();
    }

    public void Dispose() => _child?.Dispose();
}
