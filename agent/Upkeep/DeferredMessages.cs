using Microsoft.Data.Sqlite;
using Quickq.Agent.Forwarding;
using Quickq.Agent.Ledger;
using Quickq.Agent.Timing;
using Quickq.Spool;

namespace Quickq.Agent.Upkeep;

/// <summary>Makes deferred messages pending again when their time has come; the spool's trigger then makes the feeds look back.</summary>
internal static class DeferredMessages
{
    private const int Step = 500;

    /// <summary>One step. A time further off than the longest back-off is due too: the clock was set back.</summary>
    public static UpkeepProgress MakeDuePending_NeedsTransaction(SqliteConnection connection, TimeProvider clock)
    {
        long now = clock.NowMicroseconds();
        long tooFar = now + (RetrySchedule.LongestRefusal.Ticks / TimeSpan.TicksPerMicrosecond);
        bool more = false, any = false;
        foreach (long server in connection.ReadRows("SELECT id FROM server AS s WHERE EXISTS (SELECT 1 FROM delivery WHERE server = s.id AND state = 'deferred')", row => row.GetInt64(0)))
        {
            int rows = connection.Execute(
                $"""
                UPDATE delivery SET state = 'pending', next_attempt_at = NULL
                WHERE server = $server AND state = 'deferred' AND message IN (
                    SELECT message FROM delivery WHERE server = $server AND state = 'deferred' AND (next_attempt_at <= $now OR next_attempt_at > $tooFar OR next_attempt_at IS NULL) LIMIT {Step})
                """,
                ("$server", server),
                ("$now", now),
                ("$tooFar", tooFar));
            var change = new BacklogChange();
            change.Move(DeliveryState.Deferred, DeliveryState.Pending, rows);
            change.Write_NeedsTransaction(connection, server);
            more |= rows == Step;
            any = true;
        }

        return more ? UpkeepProgress.MoreNow : any ? UpkeepProgress.Later : UpkeepProgress.NothingLeft;
    }
}
