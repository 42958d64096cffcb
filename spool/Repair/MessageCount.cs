using Microsoft.Data.Sqlite;

namespace Quickq.Spool.Repair;

/// <summary>How many messages a rescue did not find, by all that counts them: their deliveries, the index of their ids, and the numbers given out less those removed.</summary>
/// <remarks>Each of the three may be damaged itself. A loss is said to be exact where the counters agree, and "at least" otherwise: then it is what two of them vouch for.</remarks>
internal sealed class MessageCount(SqliteConnection fresh, DatabaseImage image, long lastGiven)
{
    /// <summary>Whether anything names or counts messages that were not found, so far.</summary>
    public bool SomeAreMissing => Named() > 0 || Counted() is > 0 || Indexed() > 0;

    /// <summary>Whether a message that was not found has deliveries, so far.</summary>
    public bool SomeAreNamedOnly => Named() > 0;

    /// <summary>How many messages are lost, and whether that is exact: otherwise there may be more.</summary>
    /// <param name="unreadable">Whether some of the table of messages could not be read.</param>
    /// <param name="witnessesAreWhole">Whether all of what names messages could be read.</param>
    public (long Lost, bool IsExact) Lost(bool unreadable, bool witnessesAreWhole)
    {
        long named = Named();
        if (Counted() is not { } counted)
        {
            return (named, witnessesAreWhole);
        }

        if (counted == named)
        {
            return (named, true);
        }

        if (unreadable)
        {
            return witnessesAreWhole ? (named, true) : (Math.Max(named, counted), false);
        }

        // The table could be read from end to end: a page of it, or of what counts it, is older than the rest.
        long[] witnesses = [named, counted, Indexed()];
        return (Math.Max(0, witnesses.Order().ElementAt(1)), false);
    }

    /// <summary>Messages that have a delivery or wait for one.</summary>
    private long Named() =>
        fresh.ReadNumber("SELECT count(*) FROM (SELECT message FROM delivery UNION SELECT message FROM unassigned) WHERE message NOT IN (SELECT seq FROM message)");

    /// <summary>By the counters; null where they cannot be read, or cannot be true.</summary>
    private long? Counted()
    {
        if (lastGiven == 0 || fresh.ReadNumberOrNull("SELECT value FROM tally WHERE name = 'removed'") is not { } removed || removed < 0 || removed > lastGiven)
        {
            return null;
        }

        return lastGiven - removed - fresh.ReadNumber("SELECT count(*) FROM message");
    }

    /// <summary>Messages whose ids are in the index.</summary>
    private long Indexed()
    {
        uint root = (uint)fresh.ReadNumber("SELECT rootpage FROM sqlite_master WHERE name = 'message_id'");
        using SqliteCommand find = fresh.Prepare("SELECT EXISTS (SELECT 1 FROM message WHERE seq = $seq)", "$seq");
        return new BtreeWalk(image).Rows(root, index: true)
            .Select(row => row is { Record: { Count: 2 } record } ? record.Number(1) : null)
            .Count(seq => seq > 0 && seq <= lastGiven && find.Set("$seq", seq).ReadNumber() == 0);
    }
}
