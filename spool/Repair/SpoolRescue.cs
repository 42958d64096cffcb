using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Quickq.Spool.Repair;

/// <summary>Fills a fresh spool with what can be read of a damaged one, and makes its counters true.</summary>
/// <remarks>
/// Sequence numbers and ids are kept. A message comes over whole or not at all, in whatever storage classes its writer chose: all that the agent delivers, and what it rejects by
/// itself. What became of a message at a server and cannot be read counts as pending: sent twice rather than lost. When the names of the servers cannot be read, messages that some
/// server still wanted go to whatever servers the agent makes known.
/// </remarks>
internal sealed class SpoolRescue(SqliteConnection fresh)
{
    /// <summary>So far behind the highest number seen do new messages begin where the highest one given out cannot be read.</summary>
    private const long NumbersLeftOut = 1_000_000;

    /// <summary>Nobody counts up to here: a number above was written by hand, and the one behind the highest could not be given out.</summary>
    private const long HighestNumber = 1L << 62;

    /// <summary>The tallies of this format. An index of two columns looks like a table of two.</summary>
    private static readonly string[] Tallies = ["removed", "unassigned", "repairedAt", "repairSaved", "repairLost", "refused", "refusedAt"];

    /// <summary>Copies everything; the caller has begun a transaction and taken the triggers away.</summary>
    /// <param name="image">The damaged spool.</param>
    /// <param name="now">Microseconds since the epoch: noted for <c>status</c>.</param>
    /// <param name="aside">Where the damaged file will be; for the report.</param>
    public RepairReport Run(DatabaseImage image, long now, string aside)
    {
        // What a fresh spool begins with says nothing of the damaged one.
        fresh.Execute("DELETE FROM tally");
        Rescue(image, "setting", replace: true, static row => row[0] is not ("format" or "oldestWriter") && IsNumber(row[1])).Dispose();
        Rescue(image, "tally", replace: true, static row => Tallies.Contains(row[0]) && row[1] is long).Dispose();
        Rescue(image, "server").Dispose();
        Rescue(image, "suspension").Dispose();
        if (image.Format >= 2)
        {
            // A spool of format 1 has other pages where these tables begin.
            foreach (string table in (ReadOnlySpan<string>)["server_exchange", "key_suspension", "operation", "agent", "replayed"])
            {
                Rescue(image, table).Dispose();
            }
        }

        bool anyMisplaced = false, anyWithoutNumber = false;
        using TableRescue messages = Rescue(image, "message", accepts: row => IsOfAgent(row) || !(anyWithoutNumber = true), onMisplaced: _ => anyMisplaced = true);
        var misplaced = new List<(long Message, long Server)>();
        using TableRescue deliveries = Rescue(image, "delivery", accepts: static row => IsOfAgent(row) && DeliveryState.All.Contains(row[2] as string, StringComparer.Ordinal),
            onMisplaced: row => misplaced.Add(((long)row[0], (long)row[1])));
        using TableRescue unassigned = Rescue(image, "unassigned", accepts: IsOfAgent);
        bool witnessesAreWhole = !deliveries.HasGaps && !unassigned.HasGaps;
        long lastGiven = ReadLastGiven(image);
        if (anyMisplaced)
        {
            // Where a page leads astray, all that stands behind looks misplaced. A message whose number is not what it was has no row elsewhere.
            messages.InsertLeftOut(row => IsOfAgent(row) && (IsKnown((long)row[0]) || (deliveries.HasGaps && (long)row[0] <= lastGiven)));
        }

        var count = new MessageCount(fresh, image, lastGiven);
        if (count.SomeAreMissing && !messages.HasGaps)
        {
            messages.InsertOrphans(row => (long)row[0] <= lastGiven || IsKnown((long)row[0]));
        }

        if (count.SomeAreNamedOnly)
        {
            // A row of this table does not change once it is there: an earlier one of a message that is named is the message.
            messages.InsertEarlier(row => IsKnown((long)row[0]));
        }

        var rows = new RescuedDeliveries(fresh);
        if (rows.SomeAreMissing() && !deliveries.HasGaps)
        {
            deliveries.InsertOrphans(row => Exists((long)row[0]));
        }

        (long lost, bool exact) = count.Lost(messages.HasGaps, witnessesAreWhole);
        long highest = fresh.ReadNumber("SELECT max(coalesce((SELECT max(seq) FROM message), 0), coalesce((SELECT max(message) FROM delivery), 0), coalesce((SELECT max(message) FROM unassigned), 0))");
        lastGiven = lastGiven >= highest ? lastGiven : highest + NumbersLeftOut;
        if (anyWithoutNumber)
        {
            // Numbers that a hand chose: no agent comes to them. They go to every server, behind all others.
            messages.InsertLeftOut(row => !IsOfAgent(row) && (row[0] = ++lastGiven) is long);
        }

        rows.MakeConsistent(deliveries.Gaps, deliveries.Edges, misplaced);
        long saved = fresh.ReadNumber("SELECT count(*) FROM message");
        Count(lastGiven, saved, now, lost);
        return new RepairReport(saved, lost, exact && !image.EndsInDoubt, rows.Saved, rows.Reset, aside);
    }

    private static bool IsOfAgent(object[] row) => (long)row[0] is > 0 and < HighestNumber;

    private static bool IsNumber(object value) => long.TryParse(TableLayout.AsText(value), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _);

    /// <summary>Messages and deliveries come over as they are stored; in the small tables, which Quickq alone writes, each value must be what its column is for.</summary>
    private TableRescue Rescue(DatabaseImage image, string table, bool replace = false, Func<object[], bool>? accepts = null, Action<object[]>? onMisplaced = null)
    {
        TableLayout layout = TableLayout.Of(fresh, table);
        Func<object[], bool> accept = accepts ?? (row =>
        {
            layout.Convert(row);
            return true;
        });
        var rescue = new TableRescue(image, fresh, layout, replace) { Accepts = accept, OnMisplaced = onMisplaced ?? (static _ => { }) };
        rescue.Run();
        return rescue;
    }

    private bool Exists(long message) => fresh.ReadNumber("SELECT EXISTS (SELECT 1 FROM message WHERE seq = $message)", ("$message", message)) == 1;

    private bool IsKnown(long message) => fresh.ReadNumber(
        "SELECT EXISTS (SELECT 1 FROM delivery WHERE message = $message) OR EXISTS (SELECT 1 FROM unassigned WHERE message = $message)", ("$message", message)) == 1;

    /// <summary>The highest sequence number that was ever given out; 0 when it cannot be read.</summary>
    private long ReadLastGiven(DatabaseImage image)
    {
        TableLayout layout = TableLayout.Of(fresh, "sqlite_sequence");
        long last = new BtreeWalk(image).Rows(layout.Root, index: false)
            .Select(row => row is { Record: { Count: 2 } record } && record.Text(0) is "message" ? record.Number(1) ?? 0 : 0)
            .DefaultIfEmpty()
            .Max();
        return last is > 0 and < HighestNumber ? last : 0;
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
        fresh.Execute("INSERT OR IGNORE INTO tally (name, value) VALUES ('refused', 0), ('refusedAt', 0)");
        fresh.Execute("INSERT INTO tally (name, value) SELECT 'assigning', 0 WHERE EXISTS (SELECT 1 FROM unassigned)");
        fresh.Execute("DELETE FROM replayed WHERE NOT EXISTS (SELECT 1 FROM delivery WHERE message = replayed.message AND server = replayed.server)");
        fresh.Execute("DELETE FROM server_exchange WHERE server NOT IN (SELECT id FROM server)");
        fresh.Execute("DELETE FROM key_suspension WHERE server NOT IN (SELECT id FROM server)");
        Set(tally, "repairedAt", now);
        Set(tally, "repairSaved", saved);
        Set(tally, "repairLost", lost);

        void Set(string sql, string name, long value) => fresh.Execute(sql, ("$name", name), ("$value", value));
    }
}
