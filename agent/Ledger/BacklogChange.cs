using Microsoft.Data.Sqlite;
using Quickq.Spool;

namespace Quickq.Agent.Ledger;

/// <summary>By how much the counters of one server change in a transaction; written once, with the rows that it counts.</summary>
internal sealed class BacklogChange
{
    private readonly Dictionary<string, int> _byState = new(StringComparer.Ordinal);

    /// <summary>Confirmed messages that no queue received.</summary>
    public int Unrouted { get; set; }

    /// <summary>By how much <c>delivered</c> grows.</summary>
    public int Delivered => _byState.GetValueOrDefault(DeliveryState.Delivered);

    /// <summary>By how much <c>deferred</c> grows.</summary>
    public int Deferred => _byState.GetValueOrDefault(DeliveryState.Deferred);

    /// <summary>Counts one row, or several, that go from one state to another.</summary>
    public void Move(string? from, string to, int rows = 1)
    {
        if (from is not null)
        {
            _byState[from] = _byState.GetValueOrDefault(from) - rows;
        }

        _byState[to] = _byState.GetValueOrDefault(to) + rows;
    }

    /// <summary>Adds the change to the server's row.</summary>
    public void Write_NeedsTransaction(SqliteConnection connection, long server)
    {
        if (_byState.Count == 0 && Unrouted == 0)
        {
            return;
        }

        connection.Execute(
            """
            UPDATE server SET pending = pending + $pending, deferred = deferred + $deferred, held = held + $held, rejected = rejected + $rejected,
                delivered = delivered + $delivered, expired = expired + $expired, cancelled = cancelled + $cancelled, unrouted = unrouted + $unrouted
            WHERE id = $server
            """,
            ("$pending", Of(DeliveryState.Pending)),
            ("$deferred", Of(DeliveryState.Deferred)),
            ("$held", Of(DeliveryState.Held)),
            ("$rejected", Of(DeliveryState.Rejected)),
            ("$delivered", Of(DeliveryState.Delivered)),
            ("$expired", Of(DeliveryState.Expired)),
            ("$cancelled", Of(DeliveryState.Cancelled)),
            ("$unrouted", Unrouted),
            ("$server", server));
    }

    private int Of(string state) => _byState.GetValueOrDefault(state);
}
