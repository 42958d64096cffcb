using System.Text;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>A plain <c>add</c> is killed at random moments; the tests of the command line do the same to <c>add --lines</c>.</summary>
public sealed class AddKilledAtOnceTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    [Fact(Timeout = 300_000)]
    public async Task An_id_that_was_printed_is_there_whole_and_nothing_is_there_in_part()
    {
        using var spool = new TempSpool();
        (await new SpoolCommand(spool).RunAsync("add", "--id", "first", "the spool is made")).MustSucceed();
        var usual = await MeasureAsync(spool);
        var printed = new Dictionary<string, string>(StringComparer.Ordinal);
        var kills = Environment.GetEnvironmentVariable("QUICKQ_LONG") is "1" ? 300 : 30;
        for (var number = 0; number < kills; number++)
        {
            var body = $"{number}.".PadRight(Some.Number(100, 50_000), 'x') + "$";
            using var child = new SpoolCommand(spool).Start("add", "--", body);

            // Not a wait for anything: the random moment of the kill, mostly before the end and sometimes after it.
            await Task.Delay(Some.Time(usual * 0.5, usual * 1.5), TimeProvider.System);
            child.Kill();
            await child.WaitForExitAsync(Limit);
            if (child.Stdout.EndsWith('\n'))
            {
                printed.Add(child.Stdout.Trim(), body);
            }
        }

        var stored = spool.Query<(string Id, byte[] Body)>("SELECT id, body FROM message WHERE id <> 'first'")
            .ToDictionary(row => row.Id, row => Encoding.UTF8.GetString(row.Body), StringComparer.Ordinal);
        output.WriteLine($"seed {Some.Seed}: of {kills} killed, {printed.Count} had printed an id and {stored.Count} are stored");
        Assert.All(printed, pair => Assert.Equal(pair.Value, stored.GetValueOrDefault(pair.Key)));
        Assert.All(stored.Values, body => Assert.True(body.EndsWith('$'), "a message is stored in part"));
    }

    /// <summary>How long an add takes on this machine just now.</summary>
    private static async Task<TimeSpan> MeasureAsync(TempSpool spool)
    {
        var begin = TimeProvider.System.GetTimestamp();
        (await new SpoolCommand(spool).RunAsync("add", "--id", "first", "the spool is made")).MustSucceed();
        return TimeProvider.System.GetElapsedTime(begin);
    }
}
