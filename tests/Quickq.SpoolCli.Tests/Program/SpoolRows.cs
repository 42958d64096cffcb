using Dapper;
using Microsoft.Data.Sqlite;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary>Puts servers and outcomes into a spool, as an agent would; no agent runs in these tests.</summary>
internal static class SpoolRows
{
    /// <summary>Makes the spool with these servers, all active.</summary>
    public static async Task AddServersAsync(this TempSpool spool, params string[] names)
    {
        await spool.CreateAsync();
        foreach (var name in names)
        {
            spool.Execute("INSERT INTO server (name) VALUES (@name)", new { name });
        }
    }

    /// <summary>Makes an empty spool.</summary>
    public static async Task CreateAsync(this TempSpool spool)
    {
        (await new SpoolCommand(spool).RunAsync("add", "--id", "first", "")).MustSucceed();
        spool.Execute("DELETE FROM unassigned; DELETE FROM message; UPDATE tally SET value = CASE name WHEN 'removed' THEN 1 ELSE 0 END");
    }

    /// <summary>Sets the state of one message at one server.</summary>
    public static void Settle(this TempSpool spool, string id, string server, string state, string? reason = null) => spool.Execute(
        """
        UPDATE delivery SET state = @state, attempts = 1, settled_at = 1767323045123456, endpoint = '127.0.0.1:5672', reason = @reason
        WHERE message = (SELECT seq FROM message WHERE id = @id) AND server = (SELECT id FROM server WHERE name = @server)
        """,
        new { id, server, state, reason });

    /// <summary>Sets the state of one message at one server, and the counters with it.</summary>
    public static void Put(this TempSpool spool, string id, string server, string state)
    {
        var old = spool.Value<string>("SELECT d.state FROM delivery AS d JOIN message AS m ON m.seq = d.message JOIN server AS s ON s.id = d.server WHERE m.id = @id AND s.name = @server", new { id, server });
        spool.Settle(id, server, state);
        spool.Execute($"UPDATE server SET {old} = {old} - 1, {state} = {state} + 1 WHERE name = @server", new { server });
    }

    public static void Execute(this TempSpool spool, string sql, object? parameters = null)
    {
        using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = spool.Path, Pooling = false }.ConnectionString);
        connection.Execute(sql, parameters);
    }

    public static long Messages(this TempSpool spool) => File.Exists(spool.Path) ? spool.Value<long>("SELECT count(*) FROM message") : 0;
}
