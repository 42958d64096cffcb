using System.Globalization;
using System.Text.Json;
using Microsoft.Data.Sqlite;

namespace Quickq.Spool.Repair;

/// <summary>Fills a fresh spool with what can be read of a damaged one, and makes its counters true.</summary>
/// <remarks>
/// Sequence numbers and ids are kept. A message comes over whole or not at all. What became of a message at a server and cannot be read counts as pending: sent twice rather
/// than lost. When the names of the servers cannot be read, messages that some server still wanted go to whatever servers the agent makes known.
/// </remarks>
internal sealed class SpoolRescue(SqliteConnection fresh)
{
    /// <summary>So far behind the highest number seen do new messages begin where the highest one given out cannot be read.</summary>
    private const long NumbersLeftOut = 1_000_000;

    private const string Unsettled = "state IN ('pending', 'deferred', 'held', 'rejected')";

    private long _deliveriesReset;

    /// <summary>Copies everything; the caller has begun a transaction and taken the triggers away.</summary>
    /// <param name="image">The damaged spool.</param>
    /// <param name="now">Microseconds since the epoch: noted for <c>status</c>.</param>
    /// <param name="aside">Where the damaged file will be; for the report.</param>
    public RepairReport Run(DatabaseImage image, long now, string aside)
    {
        Rescue(image, "setting", replace: true, static row => row[0] is not ("format" or "oldestWriter") && long.TryParse((string)row[1], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _));
        Rescue(image, "tally", replace: true);
        Rescue(image, "server");
        Rescue(image, "suspension");
        bool anyMisplaced = false;
        using var messages = new TableRescue(image, fresh, TableLayout.Of(fresh, "message"))
        {
            Accepts = static row => (long)row[0] > 0 && IsReadable((string)row[4]),
            OnMisplaced = _ => anyMisplaced = true,
        };
        messages.Run();
        var misplaced = new List<(long Message, long Server)>();
        TableRescue deliveryRows = Rescue(image, "delivery", accepts: static row => (long)row[0] > 0 && DeliveryState.All.Contains((string)row[2], StringComparer.Ordinal),
            onMisplaced: row => misplaced.Add(((long)row[0], (long)row[1])));
        bool deliveriesIncomplete = deliveryRows.HasGaps;
        bool unassignedIncomplete = Rescue(image, "unassigned").HasGaps;
        long lastGiven = ReadLastGiven(image);
        if (anyMisplaced)
        {
            // Where a page leads astray, all that stands behind looks misplaced. A message whose number is not what it was has no row elsewhere.
            messages.InsertMisplaced(row => IsKnown((long)row[0]) || (deliveriesIncomplete && (long)row[0] <= lastGiven));
        }

        bool messagesIncomplete = messages.HasGaps;

        long saved = fresh.ReadNumber("SELECT count(*) FROM message");
        long missing = fresh.ReadNumber(
            "SELECT count(*) FROM (SELECT message FROM delivery UNION SELECT message FROM unassigned) WHERE message NOT IN (SELECT seq FROM message)");
        bool exact = !messagesIncomplete || !(deliveriesIncomplete || unassignedIncomplete);
        long expected = lastGiven - fresh.ReadNumber("SELECT value FROM tally WHERE name = 'removed'");
        long lost = !messagesIncomplete ? 0 : exact ? missing : Math.Max(missing, expected <= lastGiven ? expected - saved : 0);

        long highest = fresh.ReadNumber("SELECT max(coalesce((SELECT max(seq) FROM message), 0), coalesce((SELECT max(message) FROM delivery), 0), coalesce((SELECT max(message) FROM unassigned), 0))");
        long deliveries = MakeConsistent(deliveryRows.Gaps, misplaced);
        lastGiven = lastGiven >= highest ? lastGiven : highest + NumbersLeftOut;
        Count(lastGiven, saved, now, lost);
        return new RepairReport(saved, lost, exact, deliveries, _deliveriesReset, aside);
    }

    private static bool IsReadable(string properties)
    {
        try
        {
            MessageProperties.FromJson(properties);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private TableRescue Rescue(DatabaseImage image, string table, bool replace = false, Func<object[], bool>? accepts = null, Action<object[]>? onMisplaced = null)
    {
        using var rescue = new TableRescue(image, fresh, TableLayout.Of(fresh, table), replace) { Accepts = accepts ?? (static _ => true), OnMisplaced = onMisplaced ?? (static _ => { }) };
        rescue.Run();
        return rescue;
    }

    private bool IsKnown(long message) =>
        fresh.ReadNumber(string.Create(CultureInfo.InvariantCulture, $"SELECT EXISTS (SELECT 1 FROM delivery WHERE message = {message}) OR EXISTS (SELECT 1 FROM unassigned WHERE message = {message})")) == 1;

    /// <summary>The highest sequence number that was ever given out; 0 when it cannot be read.</summary>
    private long ReadLastGiven(DatabaseImage image)
    {
        TableLayout layout = TableLayout.Of(fresh, "sqlite_sequence");
        return new BtreeWalk(image).Rows(layout.Root, index: false)
            .Select(row => row is { Record: { Count: 2 } record } && record.Text(0) is "message" ? record.Number(1) ?? 0 : 0)
            .DefaultIfEmpty()
            .Max();
    }

    /// <summary>Returns how many deliveries were read.</summary>
    private long MakeConsistent(IReadOnlyList<(object[]? After, object[]? Before)> gaps, IReadOnlyList<(long Message, long Server)> misplaced)
    {
        fresh.Execute("DELETE FROM delivery WHERE message NOT IN (SELECT seq FROM message)");
        fresh.Execute("DELETE FROM unassigned WHERE message NOT IN (SELECT seq FROM message)");
        long read = fresh.ReadNumber("SELECT count(*) FROM delivery");
        KeepUnknownServers();
        using SqliteCommand fill = fresh.Prepare(
            """
            INSERT INTO delivery (message, server)
            SELECT m.seq, s.id FROM message AS m CROSS JOIN server AS s
            WHERE s.active = 1 AND (m.seq, s.id) > ($afterMessage, $afterServer) AND (m.seq, s.id) < ($beforeMessage, $beforeServer)
                AND m.seq BETWEEN $afterMessage AND $beforeMessage
                AND NOT EXISTS (SELECT 1 FROM delivery WHERE message = m.seq AND server = s.id) AND NOT EXISTS (SELECT 1 FROM unassigned WHERE message = m.seq)
            """,
            "$afterMessage", "$afterServer", "$beforeMessage", "$beforeServer");
        foreach ((object[]? after, object[]? before) in gaps)
        {
            _deliveriesReset += fill.Set("$afterMessage", after?[0] ?? 0L).Set("$afterServer", after?[1] ?? 0L)
                .Set("$beforeMessage", before?[0] ?? long.MaxValue).Set("$beforeServer", before?[1] ?? long.MaxValue).ExecuteNonQuery();
        }

        using SqliteCommand reset = fresh.Prepare(
            "INSERT OR IGNORE INTO delivery (message, server) SELECT m.seq, s.id FROM message AS m, server AS s WHERE m.seq = $message AND s.id = $server", "$message", "$server");
        foreach ((long message, long server) in misplaced)
        {
            _deliveriesReset += reset.Set("$message", message).Set("$server", server).ExecuteNonQuery();
        }

        fresh.Execute(
            """
            INSERT OR IGNORE INTO unassigned (message) SELECT seq FROM message WHERE NOT EXISTS (SELECT 1 FROM delivery WHERE message = seq)
            """);
        return read;
    }

    /// <summary>Rows of servers whose own row is lost stay under a name that says so; where no server is left at all, the agent gives what is unsettled to its servers.</summary>
    private void KeepUnknownServers()
    {
        bool noneLeft = fresh.ReadNumber("SELECT count(*) FROM server") == 0;
        fresh.Execute("INSERT INTO server (id, name, active) SELECT DISTINCT server, 'lost-' || server, 0 FROM delivery WHERE server NOT IN (SELECT id FROM server)");
        if (noneLeft)
        {
            fresh.Execute($"INSERT OR IGNORE INTO unassigned (message) SELECT message FROM delivery WHERE {Unsettled}");
            _deliveriesReset += fresh.Execute($"DELETE FROM delivery WHERE {Unsettled}");
        }
    }

    private void Count(long lastGiven, long saved, long now, long lost)
    {
        fresh.Execute(
            """
            UPDATE server SET rewind = NULL,
                pending = (SELECT count(*) FROM delivery WHERE server = server.id AND state = 'pending'),
                deferred = (SELECT count(*) FROM delivery WHERE server = server.id AND state = 'deferred'),
                held = (SELECT count(*) FROM delivery WHERE server = server.id AND state = 'held'),
                rejected = (SELECT count(*) FROM delivery WHERE server = server.id AND state = 'rejected'),
                delivered = max(delivered, (SELECT count(*) FROM delivery WHERE server = server.id AND state = 'delivered')),
                expired = max(expired, (SELECT count(*) FROM delivery WHERE server = server.id AND state = 'expired')),
                cancelled = max(cancelled, (SELECT count(*) FROM delivery WHERE server = server.id AND state = 'cancelled'))
            """);
        fresh.Execute("DELETE FROM sqlite_sequence WHERE name = 'message'");
        Set("INSERT INTO sqlite_sequence (name, seq) VALUES ($name, $value)", "message", lastGiven);
        const string tally = "INSERT OR REPLACE INTO tally (name, value) VALUES ($name, $value)";
        Set(tally, "removed", lastGiven - saved);
        Set(tally, "unassigned", fresh.ReadNumber("SELECT count(*) FROM unassigned"));
        Set(tally, "repairedAt", now);
        Set(tally, "repairSaved", saved);
        Set(tally, "repairLost", lost);

        void Set(string sql, string name, long value)
        {
            using SqliteCommand command = fresh.Prepare(sql, "$name", "$value");
            command.Set("$name", name).Set("$value", value).ExecuteNonQuery();
        }
    }
}
