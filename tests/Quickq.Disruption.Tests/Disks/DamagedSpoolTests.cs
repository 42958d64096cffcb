using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Data.Sqlite;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>A damaged spool under the real agent, and a repair by hand while everybody has the spool open.</summary>
[Collection<OneNodeCollection>]
public sealed class DamagedSpoolTests(VirtualHost host) : IClassFixture<VirtualHost>
{
    private const int PageSize = 4096, WalHeaderBytes = 32, WalFrameBytes = 24 + PageSize;
    private const int Messages = 300;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    [Fact(Timeout = 300_000)]
    public async Task A_spool_that_SQLite_cannot_open_any_more_is_saved_at_the_start_and_all_of_it_arrives()
    {
        using var spool = new TempSpool();
        var queue = await BrokerQueue.DeclareAsync(host.Node, host.Name, "broken-header");
        string[] ids = await AddAsync(spool, Messages);
        Checkpoint(spool);
        Overwrite(spool, page: 1, new byte[20]);
        Assert.Equal(74, (await new SpoolCommand(spool).RunAsync("check")).ExitCode);

        using var agent = AgentProcess.Start(new AgentConfiguration(spool.Path).WithServer("mq1", host.Node, host.Name, "broken-header"));
        await queue.AwaitCountAsync(Messages, Limit);

        Assert.Equal(ids, (await queue.DrainAsync()).Select(message => message.MessageId!));
        Assert.Contains($"{Messages} messages saved, 0 lost", agent.Stderr, StringComparison.Ordinal);
        var repaired = (await spool.StatusAsync()).GetProperty("spool").GetProperty("repaired");
        Assert.Equal((Messages, 0), (repaired.GetProperty("messagesSaved").GetInt32(), repaired.GetProperty("messagesLost").GetInt32()));
        Assert.True(File.Exists(repaired.GetProperty("aside").GetString()));
        Assert.Equal(0, await agent.StopAsync());
    }

    /// <summary>Committed transactions are behind the bad frame: acknowledged messages, which SQLite would pass over without a word.</summary>
    [Theory(Timeout = 300_000)]
    [InlineData(1, false)]
    [InlineData(5, false)]
    [InlineData(8, false)]
    [InlineData(2, true)]
    public async Task A_WAL_that_went_bad_in_the_middle_is_repaired_at_the_start_what_is_lost_is_counted_and_the_rest_arrives(int tenth, bool isLong)
    {
        using var spool = new TempSpool();
        string exchange = $"bad-wal-{tenth}-{isLong}";
        var queue = await BrokerQueue.DeclareAsync(host.Node, host.Name, exchange);
        string[] ids = AddOneByOne(spool, Messages / 10);
        int frames = DamageWal(spool.Path + "-wal", tenth, isLong);

        using var agent = AgentProcess.Start(new AgentConfiguration(spool.Path).WithServer("mq1", host.Node, host.Name, exchange));
        await agent.AwaitLogAsync("was replaced by a fresh one", Limit);
        Match told = Regex.Match(agent.Stderr, "fresh one: (?<saved>[0-9,]+) messages saved, (?<least>at least )?(?<lost>[0-9,]+) lost", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1));
        int saved = Number(told, "saved"), lost = Number(told, "lost");
        await queue.AwaitCountAsync(saved, Limit);

        string[] kept = [.. spool.Query<string>("SELECT id FROM message ORDER BY seq")];
        Assert.Equal(kept, (await queue.DrainAsync()).Select(message => message.MessageId!));
        Assert.Equal(saved, kept.Length);
        Assert.Equal(kept, ids.Intersect(kept, StringComparer.Ordinal));
        Assert.True(isLong ? saved > 0 && lost > 0 : saved >= ids.Length - 1, $"{told.Value}, {frames} frames damaged");
        Assert.True(told.Groups["least"].Success ? saved + lost <= ids.Length && (lost > 0 || saved == ids.Length) : saved + lost == ids.Length, told.Value);
        var repaired = (await spool.StatusAsync()).GetProperty("spool").GetProperty("repaired");
        Assert.Equal((saved, lost), (repaired.GetProperty("messagesSaved").GetInt32(), repaired.GetProperty("messagesLost").GetInt32()));
        Assert.Equal(0, await agent.StopAsync());
    }

    [Theory(Timeout = 300_000)]
    [InlineData("message")]
    [InlineData("delivery")]
    [InlineData("server")]
    public async Task A_page_that_goes_bad_under_the_running_agent_is_found_and_the_spool_goes_on_accepting(string table)
    {
        using var spool = new TempSpool();
        string exchange = $"bad-{table}";
        var queue = await BrokerQueue.DeclareAsync(host.Node, host.Name, exchange);
        using var agent = AgentProcess.Start(new AgentConfiguration(spool.Path).WithServer("mq1", host.Node, host.Name, exchange));
        await spool.AwaitServersAsync(Limit);
        List<string> ids = [.. await AddAsync(spool, Messages)];
        await spool.AwaitDeliveredAsync(Messages, Limit, "mq1");

        Checkpoint(spool);
        Overwrite(spool, spool.Value<long>("SELECT rootpage FROM sqlite_master WHERE name = @table", new { table }), new byte[PageSize]);
        await agent.AwaitLogAsync("was replaced by a fresh one", Limit);
        await Eventually.Is("the spool accepts again", Limit, async () =>
        {
            var result = await new SpoolCommand(spool).RunAsync("add", "after the damage");
            ids.AddRange(result.Lines);
            return result.ExitCode == 0;
        });
        await Eventually.Is("nothing is pending", Limit, async () =>
            spool.Value<long>("SELECT count(*) FROM unassigned") == 0 && (await spool.StatusOfAsync("mq1")).GetProperty("pending").GetInt32() == 0);

        Assert.Subset((await queue.DrainAsync()).Select(message => message.MessageId!).ToHashSet(StringComparer.Ordinal), ids.ToHashSet(StringComparer.Ordinal));
        Assert.Equal(Messages + 1, spool.Value<int>("SELECT count(*) FROM message"));
        Assert.Equal(0, await agent.StopAsync());
    }

    [Fact(Timeout = 300_000)]
    public async Task A_repair_by_hand_leaves_agent_and_producers_in_the_fresh_spool()
    {
        using var spool = new TempSpool();
        var queue = await BrokerQueue.DeclareAsync(host.Node, host.Name, "by-hand");
        using var agent = AgentProcess.Start(new AgentConfiguration(spool.Path).WithServer("mq1", host.Node, host.Name, "by-hand"));
        await spool.AwaitServersAsync(Limit);
        List<string> ids = [.. await AddAsync(spool, Messages)];
        using var lines = new SpoolCommand(spool).Start("add", "--lines");
        using var python = StartPython(spool);
        ids.Add(await SayAsync(lines, "first"));
        ids.Add(await SayAsync(python, "first"));
        await spool.AwaitDeliveredAsync(ids.Count, Limit, "mq1");

        Damage(spool);
        var repair = (await new SpoolCommand(spool).RunAsync("check", "--repair")).MustSucceed();
        Assert.Contains($"saved {ids.Count} messages and {ids.Count} of their deliveries into a fresh spool, lost 0;", repair.Stdout, StringComparison.Ordinal);
        ids.Add(await SayAsync(python, "second"));
        ids.Add(await SayAsync(lines, "second"));
        await EndAsync(python);
        await EndAsync(lines);
        await spool.AwaitDeliveredAsync(ids.Count, Limit, "mq1");

        Assert.Equal(ids, spool.Query<string>("SELECT id FROM message ORDER BY seq"));
        Assert.Equal(ids, (await queue.DrainAsync()).Select(message => message.MessageId!));
        Assert.Equal("the spool is sound: nothing was changed", (await new SpoolCommand(spool).RunAsync("check", "--repair")).MustSucceed().Lines[0]);
        Assert.Equal(0, await agent.StopAsync());
    }

    private static async Task<string[]> AddAsync(TempSpool spool, int count)
    {
        byte[] lines = [.. Enumerable.Range(0, count).SelectMany(_ => Some.Json(600).Append((byte)'\n'))];
        return [.. (await new SpoolCommand(spool).RunWithInputAsync(lines, "add", "--lines")).MustSucceed().Lines];
    }

    /// <summary>A transaction each, all of them in the WAL.</summary>
    private static string[] AddOneByOne(TempSpool spool, int count)
    {
        using var writer = SpoolWriter.Open(spool.Path);
        return [.. Enumerable.Range(0, count).Select(_ => writer.Append(new OutgoingMessage { Body = Some.Json(600) }))];
    }

    /// <summary>Turns a bit of one frame, or clears the pages of three tenths of them; says how many frames that are.</summary>
    private static int DamageWal(string wal, int tenth, bool isLong)
    {
        byte[] bytes = File.ReadAllBytes(wal);
        int frames = (bytes.Length - WalHeaderBytes) / WalFrameBytes, first = frames * tenth / 10, bad = isLong ? frames * 3 / 10 : 1;
        for (int frame = first; frame < first + bad; frame++)
        {
            Span<byte> damaged = bytes.AsSpan(WalHeaderBytes + (frame * WalFrameBytes), WalFrameBytes);
            if (isLong)
            {
                damaged[24..].Clear();
            }
            else
            {
                int bit = Some.Number(0, (WalFrameBytes * 8) - 1);
                damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            }
        }

        File.WriteAllBytes(wal, bytes);
        return bad;
    }

    private static int Number(Match match, string group) => int.Parse(match.Groups[group].Value, NumberStyles.AllowThousands, CultureInfo.InvariantCulture);

    private static ChildProcess StartPython(TempSpool spool) =>
        PythonProgram.Start(spool, "import sys, quickq\nfor line in sys.stdin:\n    print(quickq.publish(line.strip()), flush=True)\n");

    private static async Task<string> SayAsync(ChildProcess producer, string line)
    {
        int before = producer.Stdout.Length;
        await producer.Stdin.WriteAsync(line + "\n");
        await producer.Stdin.FlushAsync(TestContext.Current.CancellationToken);
        await Eventually.Is($"'{line}' is accepted", Limit, () => producer.Stdout.Length > before && producer.Stdout.EndsWith('\n'));
        return producer.Stdout[before..].Trim();
    }

    private static async Task EndAsync(ChildProcess producer)
    {
        producer.Stdin.Close();
        Assert.True(await producer.WaitForExitAsync(Limit) == 0, producer.Stderr);
    }

    /// <summary>A counter that is not true: the smallest damage that a check finds and the agent does not act on.</summary>
    private static void Damage(TempSpool spool) => UnderLock(spool, "UPDATE server SET held = 99");

    /// <summary>Everything is in the main file afterwards: what is written over there is seen.</summary>
    private static void Checkpoint(TempSpool spool) => UnderLock(spool, "PRAGMA wal_checkpoint(TRUNCATE)");

    private static void UnderLock(TempSpool spool, string sql)
    {
        using var child = ChildProcess.Start("flock", [spool.Path + ".lock", "sqlite3", spool.Path, "PRAGMA busy_timeout=30000", sql]);
        Assert.True(child.WaitForExitAsync(Limit).GetAwaiter().GetResult() == 0, child.Stderr);
    }

    private static void Overwrite(TempSpool spool, long page, byte[] content)
    {
        SqliteConnection.ClearAllPools();
        using var file = new FileStream(spool.Path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        file.Position = (page - 1) * PageSize;
        file.Write(content);
    }
}
