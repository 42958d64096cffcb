using Microsoft.Data.Sqlite;
using Quickq.Agent.Ledger;
using Quickq.Agent.Timing;
using Quickq.Spool;

namespace Quickq.Agent.Upkeep;

/// <summary>
/// Expires messages whose time to live is over wherever they wait: also behind a dead or paused server, so that <c>status</c> tells the truth. What goes out is
/// judged once more just before it is sent.
/// </summary>
/// <remarks>
/// Follows the index of expiry times with a position of its own, so that each is looked at once. What comes due behind the position (assigned or released
/// late, imported when it was over already) is found by going through all of them again now and then.
/// </remarks>
internal sealed class ExpiredMessages(string spoolPath, DeliveryLedger ledger, ExpiryClock expiry, TimeProvider clock) : IDisposable
{
    private const int PageSize = 1000;

    /// <summary>Most messages that one step expires.</summary>
    internal const int StepSize = 200;

    /// <summary>So much longer than going through all took, at least, is the time until it is done again.</summary>
    private const int RestAfterAll = 100;
    private static readonly TimeSpan LookAgainAfter = TimeSpan.FromMinutes(5);

    /// <summary>Those whose time is over, behind a position.</summary>
    internal const string SelectPage =
        """
        SELECT m.expires_at AS ExpiresAt, m.seq AS Seq,
            EXISTS (SELECT 1 FROM delivery AS d WHERE d.message = m.seq AND d.state IN ('pending', 'deferred')) AS Waits
        FROM message AS m
        WHERE m.expires_at IS NOT NULL AND (m.expires_at, m.seq) > ($at, $seq) AND m.expires_at <= $now
        ORDER BY m.expires_at, m.seq LIMIT $count
        """;

    private SpoolFile? _file;
    private Candidate _position = Candidate.BeforeAll;
    private long _allFrom = clock.GetTimestamp();
    private TimeSpan _rest = LookAgainAfter;
    private bool _goingThroughAll = true;

    /// <summary>One bounded step.</summary>
    public async Task<UpkeepProgress> StepAsync()
    {
        // The time first: should the clock be set between the two looks, the time is the old one, and nothing is over by it too early.
        long now = clock.NowMicroseconds();
        if (expiry.IsWaiting)
        {
            return UpkeepProgress.NothingLeft;
        }

        _file ??= SpoolFile.OpenForReading(spoolPath);
        if (clock.GetElapsedTime(_allFrom) >= _rest)
        {
            (_position, _allFrom, _goingThroughAll) = (Candidate.BeforeAll, clock.GetTimestamp(), true);
        }

        List<Candidate> page = _file.Read(connection => ReadPage(connection, now));
        foreach (long[] waiting in page.Where(candidate => candidate.Waits).Select(candidate => candidate.Seq).Chunk(StepSize))
        {
            await ledger.RunAsync(connection => Expire_NeedsTransaction(connection, waiting, now));
        }

        if (page.Count > 0)
        {
            _position = page[^1];
        }

        if (page.Count == PageSize)
        {
            return UpkeepProgress.MoreNow;
        }

        if (_goingThroughAll)
        {
            TimeSpan rest = clock.GetElapsedTime(_allFrom) * RestAfterAll;
            (_goingThroughAll, _rest) = (false, rest > LookAgainAfter ? rest : LookAgainAfter);
        }

        return UpkeepProgress.NothingLeft;
    }

    /// <summary>After trouble: the spool is opened anew.</summary>
    public void Reset()
    {
        _file?.Dispose();
        _file = null;
    }

    public void Dispose() => _file?.Dispose();

    private List<Candidate> ReadPage(SqliteConnection connection, long now)
    {
        using SqliteCommand select = connection.Prepare(SelectPage, "$at", "$seq", "$now", "$count");
        select.Set("$at", _position.ExpiresAt).Set("$seq", _position.Seq).Set("$now", now).Set("$count", PageSize);
        var page = new List<Candidate>();
        using SqliteDataReader row = select.ExecuteReader();
        while (row.Read())
        {
            page.Add(new Candidate(row.GetInt64(0), row.GetInt64(1), row.GetInt64(2) != 0));
        }

        return page;
    }

    /// <summary>A confirm that is on its way still wins: then the message becomes delivered.</summary>
    internal static int Expire_NeedsTransaction(SqliteConnection connection, long[] messages, long now)
    {
        int expired = 0;
        foreach (long server in connection.ReadRows("SELECT id FROM server WHERE pending > 0 OR deferred > 0", row => row.GetInt64(0)))
        {
            var change = new BacklogChange();
            foreach (string state in (ReadOnlySpan<string>)[DeliveryState.Pending, DeliveryState.Deferred])
            {
                int rows = connection.Execute(
                    $"""
                    UPDATE delivery SET state = 'expired', settled_at = $now, next_attempt_at = NULL, reason = 'its time to live ran out'
                    WHERE message IN ({string.Join(',', messages)}) AND server = $server AND state = $state
                      AND (SELECT expires_at FROM message WHERE seq = delivery.message) <= $now
                    """,
                    ("$server", server),
                    ("$state", state),
                    ("$now", now));
                change.Move(state, DeliveryState.Expired, rows);
                expired += rows;
            }

            change.Write_NeedsTransaction(connection, server);
        }

        return expired;
    }

    private sealed record Candidate(long ExpiresAt, long Seq, bool Waits)
    {
        public static Candidate BeforeAll { get; } = new(long.MinValue, 0, Waits: false);
    }
}
