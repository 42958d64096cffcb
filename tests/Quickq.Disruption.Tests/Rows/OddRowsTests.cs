using System.Globalization;
using Microsoft.Data.Sqlite;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>
/// Rows that no program of Quickq writes, by SQL, under a running agent: each is delivered, or rejected alone with its reason, or refused by the schema. None stops the agent.
/// </summary>
[Collection<OneNodeCollection>]
public sealed class OddRowsTests(OneNode alone, ITestOutputHelper output)
{
    private const int Batch = 50;
    private const string Exchange = "odd";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    /// <summary>300 rows, or 5,000 with QUICKQ_LONG=1.</summary>
    private static readonly int Rows = Environment.GetEnvironmentVariable("QUICKQ_LONG") is "1" ? 5_000 : 300;

    private static readonly (string Id, string Columns, string Values, string State, string Reason)[] Odd =
    [
        ("end-in-nanoseconds", "expires_at, body", "1790000000000000000, '{}'", "delivered", ""),
        ("never-ends", "expires_at, body", "9223372036854775807, '{}'", "delivered", ""),
        ("always-was-over", "expires_at, body", "-9223372036854775808, '{}'", "expired", "its time to live ran out"),
        ("end-in-words", "expires_at, body", "'tomorrow', '{}'", "rejected", "its expires_at in the spool is no number"),
        ("end-in-bytes", "expires_at, body", "x'00', '{}'", "rejected", "its expires_at in the spool is no number"),
        ("accepted-never", "created_at, expires_at, body", "9223372036854775807, 9223372036854775807, '{}'", "delivered", ""),
        ("accepted-at-no-time", "created_at, body", "'yesterday', '{}'", "delivered", ""),
        ("header-beyond-numbers", "properties, body", "'{\"headers\":{\"a\":1e999}}', '{}'", "rejected", "its properties in the spool cannot be read"),
        ("header-below-numbers", "properties, body", "'{\"headers\":{\"a\":-1e999}}', '{}'", "rejected", "its properties in the spool cannot be read"),
        ("header-half-a-pair", "properties, body", "'{\"headers\":{\"a\":\"\\ud800\"}}', '{}'", "rejected", "its properties in the spool cannot be read"),
        ("properties-in-bytes", "properties, body", "x'ff00', '{}'", "rejected", "its properties in the spool cannot be read"),
        ("properties-without-end", "properties, body", "'{\"a\":\"' || hex(zeroblob(600000)) || '\"}', '{}'", "rejected", "its properties take 1200008 characters"),
        ("body-a-number", "body", "42", "delivered", ""),
        ("body-beyond-measure", "body", "zeroblob(70000000)", "rejected", "it takes more than 64MiB"),
        ("text-beyond-measure", "body", "hex(zeroblob(35000000))", "rejected", "it takes more than 64MiB"),
    ];

    [Fact(Timeout = 300_000)]
    public async Task Each_odd_row_is_delivered_or_rejected_alone_with_its_reason()
    {
        using var spool = new TempSpool();
        using var agent = await StartAsync(spool);
        foreach ((string id, string columns, string values, _, _) in Odd)
        {
            spool.Execute($"INSERT INTO message (id, {columns}) VALUES ('{id}', {values})");
            spool.Execute($"INSERT INTO message (id, body) VALUES ('behind-{id}', '{{}}')");
        }

        foreach ((string id, _, _, string state, string reason) in Odd)
        {
            await Eventually.Gives($"what became of {id}", (state, true), Limit, () => Outcome(spool, id) is var (now, why) ? (now, why.Contains(reason, StringComparison.Ordinal)) : default);
            await Eventually.Gives($"the message behind {id} is delivered", "delivered", Limit, () => Outcome(spool, $"behind-{id}").State);
        }

        MustHaveStayed(agent);
        Assert.InRange(AgentResources.PeakKibibytes(agent.Pid), 0, 300 * 1024);
        Assert.Equal(0, await agent.StopAsync());
    }

    [Fact(Timeout = 300_000)]
    public async Task Figures_that_are_no_numbers_stop_nothing()
    {
        using var spool = new TempSpool();
        (await new SpoolCommand(spool).RunAsync("add", "-t", "k", "before any server")).MustSucceed();
        spool.Execute("UPDATE tally SET value = 'many'");
        using var agent = await StartAsync(spool);
        await Eventually.Gives("the unassigned message is delivered", 1L, Limit, () => spool.Value<long>("SELECT count(*) FROM delivery WHERE state = 'delivered'"));

        spool.Execute("UPDATE tally SET value = x'00ff'; UPDATE server SET pending = 'some', deferred = 'few', rewind = 'back', since = 'then', rate = 'quick', last_error_at = x'00'");
        spool.Execute("INSERT INTO message (id, body) VALUES ('next', '{}')");
        await Eventually.Gives("the next is delivered", "delivered", Limit, () => Outcome(spool, "next").State);
        spool.Execute("UPDATE delivery SET state = 'deferred', next_attempt_at = NULL, attempts = 'often'; UPDATE server SET deferred = 2");
        agent.Reload();
        MustHaveStayed(agent);
        Assert.Equal(0, await agent.StopAsync());
        spool.Execute("INSERT INTO message (seq, body) VALUES (-5, '{}'); INSERT INTO unassigned VALUES (-7)");

        using var again = await StartAsync(spool);
        await Eventually.Gives("what was deferred without a time is delivered, and what has a number before the first", 3L, Limit, () => spool.Value<long>("SELECT count(*) FROM delivery WHERE state = 'delivered'"));
        Assert.Equal(0, await again.StopAsync());
    }

    [Fact(Timeout = 3_600_000)]
    public async Task Arbitrary_rows_of_every_table_stop_nothing()
    {
        output.WriteLine($"seed {Some.Seed} (repeat with QUICKQ_SEED={Some.Seed})");
        using var spool = new TempSpool();
        using var agent = await StartAsync(spool);
        int refused = 0;
        for (int row = 0; row < Rows; row += Batch)
        {
            List<string> written = [];
            for (int i = 0; i < Batch; i++)
            {
                string sql = ArbitraryRow.Statement();
                written.Add(sql);
                refused += Execute(spool, sql) ? 0 : 1;
            }

            string honest = $"honest-{row}";
            spool.Execute($"UPDATE server SET exchange = '{Exchange}', paused = 0; INSERT INTO message (id, exchange, body) VALUES ('{honest}', '{Exchange}', '{{}}')");
            await Eventually.Is($"an honest message is delivered after\n{string.Join('\n', written)}", Limit, () =>
            {
                MustHaveStayed(agent);
                return Outcome(spool, honest).State is "delivered";
            });
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Rows} rows, {refused} refused by the schema"));
        await Eventually.Gives("no row is left that waits for no reason", 0L, Limit, () => spool.Value<long>(
            """
            SELECT count(*) FROM delivery AS d JOIN message AS m ON m.seq = d.message JOIN server AS s ON s.id = d.server
            WHERE s.name = 'mq1' AND d.state = 'pending' AND coalesce(m.exchange, 'odd') = 'odd'
            """));
        Assert.InRange(refused, 1, Rows - Batch);
        Assert.Equal(0, await agent.StopAsync());
    }

    private static bool Execute(TempSpool spool, string sql)
    {
        try
        {
            spool.Execute(sql);
            return true;
        }
        catch (SqliteException refused) when (refused.SqliteErrorCode is 19 or 20 or 1)
        {
            return false; // by a constraint of the schema, or its type; or the value is no value of SQL
        }
    }

    private static (string State, string Reason) Outcome(TempSpool spool, string id) => spool.Query<(string, string)>(
        "SELECT d.state, coalesce(d.reason, '') FROM delivery AS d JOIN message AS m ON m.seq = d.message WHERE m.id = @id", new { id }).SingleOrDefault(("none", ""));

    private static void MustHaveStayed(AgentProcess agent)
    {
        Assert.False(agent.HasExited, agent.Stderr);
        Assert.DoesNotContain("internal fault", agent.Stderr, StringComparison.Ordinal);
        Assert.DoesNotContain("CRITICAL", agent.Stderr, StringComparison.Ordinal);
    }

    private async Task<AgentProcess> StartAsync(TempSpool spool)
    {
        await BrokerQueue.DeclareAsync(alone.Node, "/", Exchange, "odd-rows");
        var agent = AgentProcess.Start(new AgentConfiguration(spool.Path).WithServer("mq1", alone.Node, "/", Exchange));
        await agent.AwaitLogAsync("mq1: connected", Limit);
        return agent;
    }
}
