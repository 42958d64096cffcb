using System.Text;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary>A producer killed at any moment: what it printed is in the spool, whole.</summary>
public sealed class AddKilledTests : IDisposable
{
    private readonly TempSpool _spool = new();

    public void Dispose() => _spool.Dispose();

    [Fact(Timeout = 300_000)]
    public async Task Every_id_that_was_printed_before_a_kill_is_there_whole()
    {
        var rounds = Environment.GetEnvironmentVariable("QUICKQ_LONG") is "1" ? 200 : 15;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {Some.Seed}");
        var printed = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var round = 0; round < rounds; round++)
        {
            foreach (var (id, body) in await RunAndKillAsync(round))
            {
                printed.Add(id, body);
            }
        }

        var stored = _spool.Query<(string Id, byte[] Body)>("SELECT id, body FROM message").ToDictionary(row => row.Id, row => Encoding.UTF8.GetString(row.Body), StringComparer.Ordinal);
        Assert.NotEmpty(printed);
        Assert.All(printed, pair => Assert.Equal(pair.Value, stored[pair.Key]));
        Assert.All(stored.Values, body => Assert.True(body.Length == 1000 && body.EndsWith('$'), "a message is stored in part"));
    }

    /// <summary>Feeds lines until the kill; gives the ids that were printed whole, each with the line it must stand for.</summary>
    private async Task<IEnumerable<(string Id, string Body)>> RunAndKillAsync(int round)
    {
        using var child = new SpoolCommand(_spool).Start("add", "--lines");
        var feed = Task.Run(async () =>
        {
            try
            {
                for (var i = 0; i < 100_000; i++)
                {
                    await child.Stdin.WriteAsync(Line(round, i) + "\n");
                    await child.Stdin.FlushAsync();
                }
            }
            catch (IOException)
            {
                // Killed, as it should be.
            }
        });
        if (round % 4 != 3)
        {
            // Else it is killed while it starts.
            await Eventually.Is("the first id is printed", TimeSpan.FromSeconds(30), () => child.Stdout.Length > 0);
        }

        await Task.Delay(Some.Time(TimeSpan.Zero, TimeSpan.FromMilliseconds(200)), TimeProvider.System);

        child.Kill();

        await feed;
        await child.WaitForExitAsync(TimeSpan.FromSeconds(20));
        var whole = child.Stdout[..(child.Stdout.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return whole.Select((id, i) => (id, Line(round, i)));
    }

    private static string Line(int round, int i) => $"{round}.{i}.".PadRight(999, 'x') + "$";
}
