using Microsoft.Data.Sqlite;
using Quickq.Spool;

namespace Quickq.Agent.Ledger;

/// <summary>Messages delivered a second to one server, averaged over some seconds; written with the batches, at most once a second.</summary>
internal sealed class DeliveryRate
{
    private const double WeightOfLatest = 0.4;
    private const long Interval = 1_000_000; // microseconds

    private long _intervalStart;
    private long _delivered;
    private double? _rate;

    /// <summary>Counts a batch; after each second of work the new average goes into the server's row.</summary>
    public void Count_NeedsTransaction(SqliteConnection connection, long server, int delivered, long now)
    {
        long elapsed = now - _intervalStart;
        if (elapsed < 0 || elapsed > 10 * Interval)
        {
            // The first batch after a pause (or a clock step): what went before says nothing about now.
            (_intervalStart, _delivered, _rate) = (now, delivered, null);
            return;
        }

        _delivered += delivered;
        if (elapsed < Interval)
        {
            return;
        }

        double latest = _delivered * 1_000_000.0 / elapsed;
        _rate = _rate is { } average ? (average * (1 - WeightOfLatest)) + (latest * WeightOfLatest) : latest;
        (_intervalStart, _delivered) = (now, 0);
        connection.Execute("UPDATE server SET rate = $rate, rate_at = $now WHERE id = $server", ("$rate", _rate), ("$now", now), ("$server", server));
    }
}
