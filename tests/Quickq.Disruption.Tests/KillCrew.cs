using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>One process that is killed again and again and started anew; what it had printed counts.</summary>
internal sealed class KillCrew(Func<ChildProcess> start, bool printsIds, Func<string>? nextLine = null) : IDisposable
{
    private ChildProcess _child = start();
    private Task _feeding = Task.CompletedTask;

    /// <summary>Ids that were told, by whole lines.</summary>
    public List<string> Ids { get; } = [];

    public KillCrew Begin()
    {
        if (nextLine is not null)
        {
            ChildProcess child = _child;
            _feeding = Task.Run(async () =>
            {
                try
                {
                    while (!child.HasExited)
                    {
                        await child.Stdin.WriteAsync(nextLine() + "\n");
                        await child.Stdin.FlushAsync();
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
        _child.Kill();
        await EndAsync();
    }

    public void StartAgain()
    {
        _child = start();
        Begin();
    }

    public void Dispose()
    {
        _child.Dispose();
    }

    private async Task EndAsync()
    {
        await _child.WaitForExitAsync(TimeSpan.FromSeconds(60));
        await _feeding;
        string told = _child.Stdout;
        if (printsIds)
        {
            Ids.AddRange(told[..(told.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries));
        }

        _child.Dispose();
    }
}
