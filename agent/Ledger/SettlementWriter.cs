using System.Globalization;
using System.Text;
using Microsoft.Data.Sqlite;
using Quickq.Agent.Forwarding;
using Quickq.Spool;

namespace Quickq.Agent.Ledger;

/// <summary>Writes settlements inside the ledger's transaction, and the counters of the server with them.</summary>
/// <remarks>
/// Goes by sequence number, and only to rows that are still there. A confirm always wins: a message that an operator held or cancelled while it was
/// in flight becomes delivered. A refusal does not undo what an operator said meanwhile.
/// The delivered ones of a batch, which are nearly all, are written by one statement: running one for each message cost three times the processor time.
/// </remarks>
internal sealed class SettlementWriter(RetrySchedule refusals)
{
    private readonly StringBuilder _numbers = new();
    private SqliteConnection? _preparedFor;
    private SqliteCommand _deliverPending = null!;
    private SqliteCommand _selectRow = null!;
    private SqliteCommand _settle = null!;

    /// <summary>Set when a message was deferred.</summary>
    public Wakeup Deferred { get; } = new();

    /// <summary>Writes one batch; returns how many messages were newly delivered.</summary>
    public int Write_NeedsTransaction(SqliteConnection connection, SettlementBatch batch)
    {
        Prepare(connection);
        var change = new BacklogChange();
        List<Settlement> delivered = [.. batch.Settlements.Where(settlement => settlement.State is DeliveryState.Delivered)];
        if (delivered.Count > 0)
        {
            Deliver_NeedsTransaction(batch, delivered, change);
        }

        if (delivered.Count < batch.Settlements.Count)
        {
            foreach (Settlement settlement in batch.Settlements.Where(settlement => settlement.State is not DeliveryState.Delivered))
            {
                Settle_NeedsTransaction(batch, settlement, change);
            }
        }

        change.Write_NeedsTransaction(connection, batch.Server);
        if (change.Deferred > 0)
        {
            Deferred.Set();
        }

        return change.Delivered;
    }

    private void Deliver_NeedsTransaction(SettlementBatch batch, List<Settlement> delivered, BacklogChange change)
    {
        _numbers.Clear().Append('[');
        foreach (Settlement settlement in delivered)
        {
            _numbers.Append(CultureInfo.InvariantCulture, $"{settlement.Seq},");
            change.Unrouted += settlement.Unrouted ? 1 : 0;
        }

        _numbers[^1] = ']';
        int rows = _deliverPending.Set("$numbers", _numbers.ToString())
            .Set("$server", batch.Server)
            .Set("$at", delivered[^1].At)
            .Set("$endpoint", batch.Endpoint)
            .ExecuteNonQuery();
        change.Move(DeliveryState.Pending, DeliveryState.Delivered, rows);
        if (rows < delivered.Count)
        {
            // Some were no longer pending: held, cancelled, removed. The confirm wins where there is a row still.
            foreach (Settlement settlement in delivered)
            {
                Settle_NeedsTransaction(batch, settlement, change);
            }
        }
    }

    private void Settle_NeedsTransaction(SettlementBatch batch, in Settlement settlement, BacklogChange change)
    {
        string state;
        long attempts;
        using (SqliteDataReader row = _selectRow.Set("$message", settlement.Seq).Set("$server", batch.Server).ExecuteReader())
        {
            if (!row.Read() || (state = row.GetString(0)) is DeliveryState.Delivered)
            {
                return;
            }

            attempts = row.GetInt64(1);
        }

        if (settlement.State is not DeliveryState.Delivered && state is not DeliveryState.Pending)
        {
            return;
        }

        bool deferred = settlement.State is DeliveryState.Deferred;
        long? next = deferred ? settlement.At + (refusals.DelayAfter((int)Math.Min(int.MaxValue, attempts + 1)).Ticks / TimeSpan.TicksPerMicrosecond) : null;
        _settle.Set("$message", settlement.Seq)
            .Set("$server", batch.Server)
            .Set("$state", settlement.State)
            .Set("$attempts", settlement.Attempted ? attempts + 1 : attempts)
            .Set("$at", deferred ? null : settlement.At)
            .Set("$endpoint", batch.Endpoint)
            .Set("$reason", settlement.Reason)
            .Set("$next", next)
            .ExecuteNonQuery();
        change.Move(state, settlement.State);
    }

    private void Prepare(SqliteConnection connection)
    {
        if (ReferenceEquals(_preparedFor, connection))
        {
            return;
        }

        _deliverPending = connection.Prepare(
            """
            UPDATE delivery SET state = 'delivered', attempts = attempts + 1, settled_at = $at, endpoint = $endpoint, reason = NULL
            WHERE message IN (SELECT value FROM json_each($numbers)) AND server = $server AND state = 'pending'
            """,
            "$numbers", "$server", "$at", "$endpoint");
        _selectRow = connection.Prepare("SELECT state, attempts FROM delivery WHERE message = $message AND server = $server", "$message", "$server");
        _settle = connection.Prepare(
            """
            UPDATE delivery SET state = $state, attempts = $attempts, settled_at = $at, endpoint = $endpoint, reason = $reason, next_attempt_at = $next
            WHERE message = $message AND server = $server
            """,
            "$message", "$server", "$state", "$attempts", "$at", "$endpoint", "$reason", "$next");
        _preparedFor = connection;
    }
}
