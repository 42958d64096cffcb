using System.Globalization;
using System.Text;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>Producers of two languages and the agent are killed at random moments: the spool stays sound, nothing told is missing.</summary>
[Collection<OneNodeCollection>]
public sealed class KilledAtRandomTests(VirtualHost host, ITestOutputHelper output) : IClassFixture<VirtualHost>
{
    private const string Publish =
        """
        import time, quickq
        number = 0
        while True:
            number += 1
            print(quickq.publish(("p%d." % number + "x" * 900 + "$").encode()), flush=True)
            time.sleep(0.002)  # the shape of the load
        """;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(240);
    private int _line;

    [Fact(Timeout = 10_000_000)]
    public async Task The_spool_stays_sound_and_what_was_told_is_there_and_arrives()
    {
        using var spool = new TempSpool();
        var queue = await BrokerQueue.DeclareAsync(host.Node, host.Name, "crew");
        (await new SpoolCommand(spool).RunAsync("add", "--id", "first", "first$")).MustSucceed();
        using var agent = new RestartedAgent(new AgentConfiguration(spool.Path).WithServer("mq1", host.Node, host.Name, "crew"));
        using var one = new KillCrew(() => new SpoolCommand(spool).Start("add", "--lines"), NextLine).Begin();
        using var other = new KillCrew(() => new SpoolCommand(spool).Start("add", "--lines"), NextLine).Begin();
        using var python = new KillCrew(() => PythonProgram.Start(spool, Publish)).Begin();
        KillCrew[] crew = [one, other, python];

        int kills = Environment.GetEnvironmentVariable("QUICKQ_LONG") is "1" ? 1_000 : 100;
        for (int kill = 0; kill < kills; kill++)
        {
            // Not a wait for anything: the random moment.
            await Task.Delay(Some.Time(TimeSpan.Zero, TimeSpan.FromMilliseconds(150)), TimeProvider.System);
            int victim = Some.Number(0, crew.Length);
            if (victim == crew.Length)
            {
                agent.KillAndStart();
            }
            else
            {
                await crew[victim].RestartAsync();
            }

            if (kill % 10 == 9)
            {
                Assert.Equal(["ok"], spool.Query<string>("PRAGMA integrity_check"));
            }
        }

        foreach (KillCrew member in crew)
        {
            await member.KillAsync();
        }

        await Eventually.Is("nothing is pending", Limit, () => spool.Value<long>("SELECT sum(pending) FROM server") == 0);
        Assert.Equal(0, await agent.StopAsync());

        List<string> told = [.. crew.SelectMany(member => member.Ids), "first"];
        var stored = spool.Query<(string Id, byte[] Body)>("SELECT id, body FROM message").ToDictionary(row => row.Id, row => row.Body, StringComparer.Ordinal);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"seed {Some.Seed}: {kills} kills, {agent.Kills} of them of the agent; {told.Count} ids told, {stored.Count} messages stored"));
        Assert.Empty(told.Except(stored.Keys, StringComparer.Ordinal));
        Assert.All(stored.Values, body => Assert.EndsWith("$", Encoding.UTF8.GetString(body), StringComparison.Ordinal));
        Assert.Empty(told.Except((await queue.DrainAsync()).Select(message => message.MessageId!), StringComparer.Ordinal));
        (await new SpoolCommand(spool).RunAsync("check")).MustSucceed();
    }

    private string NextLine() => string.Create(CultureInfo.InvariantCulture, $"l{Interlocked.Increment(ref _line)}.{new string('x', 900)}$");
}
