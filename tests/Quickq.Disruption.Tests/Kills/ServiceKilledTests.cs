using System.Diagnostics;
using System.Globalization;
using System.Text;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>
/// The spool service, its clients, and both at once are killed at random moments under twenty producers: every id that was printed is in the spool, its
/// message whole, once. A client whose service is gone starts another (Python) or connects to the next one (quickq-spool).
/// </summary>
public sealed class ServiceKilledTests(ITestOutputHelper output)
{
    private const int ClientsOfEachKind = 10;

    // Repeats each call until it is answered, and every tenth once more: the same id is stored once.
    private const string Publish =
        """
        import quickq, uuid
        number = 0
        while True:
            number += 1
            chosen = str(uuid.uuid4())
            body = (chosen + "x" * 900 + "$").encode()
            repeats = 2 if number % 10 == 0 else 1
            while repeats:
                try:
                    quickq.publish(body, message_id=chosen)
                    repeats -= 1
                except quickq.SpoolBusy:
                    pass
            print(chosen, flush=True)
        """;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private int _line;

    private enum Victim
    {
        Service,
        Client,
        Both,
    }

    [Fact(Timeout = 10_000_000)]
    public async Task Every_acknowledged_message_is_there_once_and_whole()
    {
        using var spool = new TempSpool();
        using (var first = PythonProgram.Start(spool, "import quickq; print(quickq.publish(b'first$'))"))
        {
            Assert.True(await first.WaitForExitAsync(Limit) == 0, first.Stderr);
        }

        List<KillCrew> clients =
        [
            .. Enumerable.Range(0, ClientsOfEachKind).Select(_ => new KillCrew(() => PythonProgram.Start(spool, Publish))),
            .. Enumerable.Range(0, ClientsOfEachKind).Select(_ => new KillCrew(() => new SpoolCommand(spool).Start("--service", "add", "--lines"), NextLine)),
        ];
        clients.ForEach(client => client.Begin());
        int rounds = Environment.GetEnvironmentVariable("QUICKQ_LONG") is "1" ? 2_000 : 100, services = 0;
        for (int round = 0; round < rounds; round++)
        {
            // Not a wait for anything: the random moment.
            await Task.Delay(Some.Time(TimeSpan.Zero, TimeSpan.FromMilliseconds(150)), TimeProvider.System);
            var victim = (Victim)Some.Number(0, 2);
            if (victim is Victim.Service or Victim.Both)
            {
                services += KillService(spool) ? 1 : 0;
            }

            if (victim is Victim.Client or Victim.Both)
            {
                await clients[Some.Number(0, clients.Count - 1)].RestartAsync();
            }

            // A client whose service was killed twice within one request says "try later" and ends.
            foreach (var ended in clients.Where(client => client.HasEnded))
            {
                await ended.RestartAsync();
            }
        }

        foreach (var client in clients)
        {
            await client.KillAsync();
            client.Dispose();
        }

        List<string> told = [.. clients.SelectMany(client => client.Ids)];
        var stored = spool.Query<(string Id, byte[] Body)>("SELECT id, body FROM message").ToDictionary(row => row.Id, row => row.Body, StringComparer.Ordinal);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"seed {Some.Seed}: {rounds} rounds, {services} services killed; {told.Count} ids printed, {stored.Count} messages stored"));
        Assert.True(services > rounds / 4, "hardly any service was killed");
        Assert.True(told.Count > rounds, "hardly anything was accepted");
        Assert.Empty(told.Except(stored.Keys, StringComparer.Ordinal));
        Assert.All(stored.Values, body => Assert.EndsWith("$", Encoding.UTF8.GetString(body), StringComparison.Ordinal));
        (await new SpoolCommand(spool).RunAsync("check")).MustSucceed();
    }

    private static bool KillService(TempSpool spool)
    {
        if (OwnServeProcess.FindListener(spool.Path) is not { } pid)
        {
            return false; // the one before was killed and nobody has started another yet
        }

        using var service = Process.GetProcessById(pid);
        service.Kill();
        service.WaitForExit();
        return true;
    }

    private string NextLine() => string.Create(CultureInfo.InvariantCulture, $"l{Interlocked.Increment(ref _line)}.{new string('x', 900)}$");
}
