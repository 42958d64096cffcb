using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>One process that is killed again and again and started anew; what it had printed counts.</summary>
internal sealed class KillCrew(Func<ChildProcess> start, bool printsIds, Func<string>? nextLine = null) : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(2);
    private ChildProcess? _child = start();
    private Task _feeding = Task.CompletedTask;

    /// <summary>Ids that were told, by whole lines.</summary>
    public List<string> Ids { get; } = [];

    public KillCrew Begin()
    {
        if (nextLine is not null)
        {
            ChildProcess child = _child!;
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
                    // It was killed: what it had read and not told is nobody's.
                }
            });
        }

        return this;
    }

    public async Task KillAsync()
    {
        _child!.Kill();
        await EndAsync(_child);
        _child = null;
    }

    public void StartAgain()
    {
        _child = start();
        Begin();
    }

    public void Dispose() => _child?.Dispose();

    private async Task EndAsync(ChildProcess child)
    {
        await child.WaitForExitAsync(TimeSpan.FromSeconds(60));
        await _feeding;
        string told = child.Stdout;
        if (printsIds)
        {
            Ids.AddRange(told[..(told.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries));
        }

        child.Dispose();
    }
}
