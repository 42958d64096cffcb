using System.Globalization;
using Microsoft.Data.Sqlite;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary>
/// Rows as any program may store them with SQL: every storage class in every column of every table, as far as the schema lets it. Whatever is there, each command ends with a code of
/// the contract and no stack trace, and a repair keeps every message. QUICKQ_LONG=1 writes 5,000 rows.
/// </summary>
public sealed class ArbitraryRowsTests(ITestOutputHelper output)
{
    private static readonly int[] Contract = [0, 64, 65, 66, 69, 73, 74, 75, 77, 78];

    [Fact(Timeout = 3_600_000)]
    public async Task Nothing_that_SQL_can_store_makes_a_command_abort()
    {
        bool isLong = Environment.GetEnvironmentVariable("QUICKQ_LONG") is "1";
        int stored = 0, rejected = 0, commands = 0;
        for (int wanted = isLong ? 5000 : 300; stored < wanted;)
        {
            using var spool = new TempSpool { MustBeSound = false };
            await spool.AddServersAsync("mq1", "mq2", "gone");
            spool.Execute("UPDATE server SET active = 0 WHERE name = 'gone'");
            var script = new List<string>();
            for (int i = 0; i < 80; i++)
            {
                Write(spool, Some.Number(0, 9) < 7 ? ArbitrarySql.Message() : ArbitrarySql.Update("delivery"), script);
            }

            commands += await RunAllAsync(spool, script);
            for (int i = 0; i < 20; i++)
            {
                string table = Some.Of("server", "tally", "setting", "suspension", "unassigned", "delivery");
                Write(spool, Some.Number(0, 1) == 0 ? ArbitrarySql.Update(table) : ArbitrarySql.Insert(table), script);
            }

            commands += await RunAllAsync(spool, script);
            stored += script.Count;
            rejected += 100 - script.Count;
            await RepairAsync(spool, script);
        }

        output.WriteLine($"seed {Some.Seed}: {stored} statements stored, {rejected} rejected by the schema, {commands} commands run");
    }

    /// <summary>The way that docs/spool-format.md has for other languages, with the program that Debian ships.</summary>
    [Fact(Timeout = 60_000)]
    public async Task An_honest_insert_by_the_sqlite3_program_is_a_message_like_any_other()
    {
        using var spool = new TempSpool();
        await spool.AddServersAsync("mq1");

        (await Shell.RunAsync(spool, "flock \"$QUICKQ_SPOOL.lock\" sqlite3 -safe \"$QUICKQ_SPOOL\" \"INSERT INTO message (exchange, routing_key, body) VALUES ('satellite', 'a.b', 'hello')\"")).MustSucceed();

        var quickq = new SpoolCommand(spool);
        var id = spool.Value<string>("SELECT id FROM message");
        Assert.Equal("hello", (await quickq.RunAsync("show", id, "--body")).MustSucceed().Stdout);
        Assert.Contains("mq1", (await quickq.RunAsync("status", id)).MustSucceed().Stdout, StringComparison.Ordinal);
        Assert.Single((await quickq.RunAsync("export")).MustSucceed().Lines);
        (await quickq.RunAsync("check")).MustSucceed();
    }

    private static void Write(TempSpool spool, string sql, List<string> script)
    {
        using var connection = new SqliteConnection($"Data Source={spool.Path};Pooling=False;Foreign Keys=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        try
        {
            command.ExecuteNonQuery();
            script.Add(sql);
        }
        catch (SqliteException refused) when (refused.SqliteErrorCode is SQLitePCL.raw.SQLITE_CONSTRAINT or SQLitePCL.raw.SQLITE_MISMATCH or SQLitePCL.raw.SQLITE_FULL)
        {
            // The schema does not let it; SQLITE_FULL: the highest sequence number is given out.
        }
    }

    private static async Task<int> RunAllAsync(TempSpool spool, List<string> script)
    {
        // What is no text cannot be given on a command line.
        List<string> ids = [.. spool.Query<string>("SELECT id FROM message WHERE typeof(id) = 'text' ORDER BY random() LIMIT 2")];
        string[][] each = [["status"], ["show"], ["show", "--json"], ["show", "--body"], ["wait", "--timeout", "0"], ["add", "x", "--id"], ["hold"], ["release"], ["retry"]];
        string[][] all =
        [
            ["status"], ["status", "--json"], ["check"], ["check", "--json"], ["list", "--limit", "1000"], ["list", "--json"], ["list", "--state", "pending"], ["list", "--since", "1h", "--topic", "#"],
            ["export"], ["add", "x"], ["replay", "--server", "mq2", "--yes"], ["pause", "mq1"], ["purge", "--older-than", "0s"],
            .. ids.SelectMany(id => each.Select(command => (string[])[.. command, id])),
        ];
        var quickq = new SpoolCommand(spool);
        foreach (string[] command in all)
        {
            CommandResult result;
            try
            {
                result = await quickq.RunAsync(command);
            }
            catch (ConditionNotMetException hang)
            {
                throw new InvalidOperationException($"seed {Some.Seed}: {string.Join(' ', command)} does not end\nafter\n{string.Join("\n", script)}", hang);
            }

            Assert.True(
                Contract.Contains(result.ExitCode) && !result.Stderr.Contains("Unhandled exception", StringComparison.Ordinal) && !result.Stderr.Contains("\n   at ", StringComparison.Ordinal),
                $"seed {Some.Seed}: {string.Join(' ', command)} ended with {result.ExitCode}: {result.Stderr}\nafter\n{string.Join("\n", script)}");
        }

        return all.Length;
    }

    private static async Task RepairAsync(TempSpool spool, List<string> script)
    {
        const string every = "SELECT quote(id) || quote(exchange) || quote(routing_key) || quote(properties) || quote(body) FROM message ORDER BY quote(id)";
        IReadOnlyList<string> before = spool.Query<string>(every);
        var quickq = new SpoolCommand(spool);

        CommandResult repair = await quickq.RunAsync("check", "--repair");

        string told = $"seed {Some.Seed}: {repair.ExitCode} {repair.Stdout}{repair.Stderr}\nafter\n{string.Join("\n", script)}";
        Assert.True(repair.ExitCode == 0, told);
        Assert.True(before.SequenceEqual(spool.Query<string>(every), StringComparer.Ordinal), told);
        foreach (string[] command in new[] { ["status"], ["list"], new[] { "export" } })
        {
            Assert.Contains((await quickq.RunAsync(command)).ExitCode, (int[])[0, 74]);
        }
    }
}
