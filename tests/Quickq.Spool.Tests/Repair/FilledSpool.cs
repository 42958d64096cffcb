using System.Globalization;
using Quickq.Testing;

namespace Quickq.Spool.Tests.Repair;

/// <summary>A spool as it looks after some days: two servers, every state, bodies of all sizes, some messages removed, one server gone.</summary>
internal static class FilledSpool
{
    public static void Fill(TempSpool spool, int messages)
    {
        using SpoolWriter writer = SpoolWriter.Open(spool.Path);
        writer.Append(new OutgoingMessage { Id = "removed-later" });
        spool.Execute("DELETE FROM unassigned; UPDATE tally SET value = 0 WHERE name = 'unassigned'; INSERT INTO server (name) VALUES ('mq1'), ('mq2')");
        spool.Execute("INSERT INTO server (name, active) VALUES ('gone', 0); INSERT INTO suspension VALUES (2, 'himawari', '404', 1, 2)");
        spool.Execute("DELETE FROM message; UPDATE tally SET value = 1 WHERE name = 'removed'");
        writer.AppendMany([.. Enumerable.Range(0, messages).Select(Message)]);
        spool.Execute(
            """
            UPDATE delivery SET state = 'delivered', attempts = 1, settled_at = 1000 + message, endpoint = '10.0.0.1:5672' WHERE message % 3 = 0;
            UPDATE delivery SET state = 'deferred', attempts = 4, next_attempt_at = 9000 + message, reason = 'nack' WHERE message % 7 = 1 AND server = 2;
            UPDATE delivery SET state = 'held' WHERE message % 11 = 1 AND server = 1;
            UPDATE delivery SET state = 'rejected', reason = 'too large' WHERE message % 13 = 1 AND server = 1;
            UPDATE server SET rewind = NULL,
                pending = (SELECT count(*) FROM delivery WHERE server = server.id AND state = 'pending'), deferred = (SELECT count(*) FROM delivery WHERE server = server.id AND state = 'deferred'),
                held = (SELECT count(*) FROM delivery WHERE server = server.id AND state = 'held'), rejected = (SELECT count(*) FROM delivery WHERE server = server.id AND state = 'rejected'),
                delivered = 100000 + (SELECT count(*) FROM delivery WHERE server = server.id AND state = 'delivered')
            """);
    }

    /// <summary>Runs a statement that puts NULL where the schema does not allow it; the schema is as before afterwards.</summary>
    public static void ExecuteWithoutNotNull(TempSpool spool, string sql)
    {
        const string loosen = "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, '{0}', '{1}') WHERE type = 'table'; PRAGMA writable_schema=RESET";
        spool.Execute(string.Format(CultureInfo.InvariantCulture, loosen, "NOT NULL", "/*NN*/"));
        spool.Execute(sql);
        spool.Execute(string.Format(CultureInfo.InvariantCulture, loosen, "/*NN*/", "NOT NULL"));
    }

    /// <summary>Everything into the main file, and the log away: what is damaged afterwards is the file.</summary>
    public static void Checkpoint(TempSpool spool)
    {
        spool.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
        File.Delete(spool.File("spool.db-wal"));
        File.Delete(spool.File("spool.db-shm"));
    }

    private static OutgoingMessage Message(int number) => new()
    {
        Id = string.Create(CultureInfo.InvariantCulture, $"m-{number}"),
        Exchange = number % 2 == 0 ? "satellite" : null,
        RoutingKey = Some.Topic(),
        TimeToLive = number % 5 == 0 ? TimeSpan.FromDays(30) : null,
        Properties = new MessageProperties { ContentType = "application/json", Headers = number % 4 == 0 ? new Dictionary<string, object?>(StringComparer.Ordinal) { ["h"] = Some.Word() } : null },
        Body = Some.Json(number % 20 == 0 ? Some.Number(5_000, 30_000) : Some.Number(40, 1_500)),
    };
}
