using System.Text;
using Microsoft.Data.Sqlite;
using Quickq.Agent.Forwarding;
using Quickq.Agent.Timing;
using Quickq.Spool;

namespace Quickq.Agent.Ledger;

/// <summary>Writes settlements inside the ledger's transaction, and the counters of the server with them.</summary>
/// <remarks>
/// Goes by sequence number, and only to rows that are still there. A confirm always wins: a message that an operator held or cancelled while it was
/// in flight becomes delivered. A refusal does not undo what an operator said meanwhile.
/// The delivered ones of a batch, which are nearly all, are written by one statement: running one for each message cost three times the processor time. Mostly
/// they are neighbours, and then their first and last number name them all.
/// </remarks>
internal sealed class SettlementWriter(RetrySchedule refusals)
{
    /// <summary>The reason of a delivery that no queue received.</summary>
    public const string UnroutedReason = "no queue received it";

    private readonly List<long> _delivered = [];
    private readonly StringBuilder _numbers = new();
    private SqliteConnection? _preparedFor;
    private SqliteCommand _deliverRun = null!;
    private SqliteCommand _deliverNamed = null!;
    private SqliteCommand _selectRow = null!;
    private SqliteCommand _settle = null!;

    /// <summary>Set when a message was deferred.</summary>
    public AsyncSignal Deferred { get; } = new();

    /// <summary>Writes one batch; returns how many messages were newly delivered.</summary>
    public int Write_NeedsTransaction(SqliteConnection connection, SettlementBatch batch)
    {
        Prepare(connection);
        var change = new BacklogChange();
        List<Settlement> delivered = [.. batch.Settlements.Where(settlement => settlement.State is DeliveryState.Delivered)];
        bool others = delivered.Count < batch.Settlements.Count;
        if (delivered.Exists(settlement => settlement.Unrouted) && !delivered.TrueForAll(settlement => settlement.Unrouted))
        {
            Deliver_NeedsTransaction(batch, delivered.FindAll(settlement => settlement.Unrouted), change);
            delivered = delivered.FindAll(settlement => !settlement.Unrouted);
        }

        if (delivered.Count > 0)
        {
            Deliver_NeedsTransaction(batch, delivered, change);
        }

        if (others)
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

    /// <param name="batch">The batch.</param>
    /// <param name="delivered">Some of it: all unrouted, or none.</param>
    /// <param name="change">What changes.</param>
    private void Deliver_NeedsTransaction(SettlementBatch batch, List<Settlement> delivered, BacklogChange change)
    {
        _delivered.Clear();
        foreach (Settlement settlement in delivered)
        {
            _delivered.Add(settlement.Seq);
            change.Unrouted += settlement.Unrouted ? 1 : 0;
        }

        _delivered.Sort();
        int rows = (IsOneRun(_delivered) ? _deliverRun.Set("$first", _delivered[0]).Set("$last", _delivered[^1]) : _deliverNamed.Set("$numbers", AsJson(_delivered)))
            .Set("$server", batch.Server)
            .Set("$at", delivered[^1].At)
            .Set("$endpoint", batch.Endpoint)
            .Set("$reason", delivered[0].Unrouted ? UnroutedReason : null)
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

    /// <summary>Whether each number follows the one before it: then nothing else is between the first and the last.</summary>
    private static bool IsOneRun(List<long> sorted)
    {
        for (int i = 1; i < sorted.Count; i++)
        {
            if (sorted[i] != sorted[i - 1] + 1)
            {
                return false;
            }
        }

        return true;
    }

    private string AsJson(List<long> numbers)
    {
        _numbers.Clear().Append('[').AppendJoin(',', numbers).Append(']');
        return _numbers.ToString();
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
            .Set("$reason", settlement.Reason ?? (settlement.Unrouted ? UnroutedReason : null))
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

        const string Deliver = "UPDATE delivery SET state = 'delivered', attempts = attempts + 1, settled_at = $at, endpoint = $endpoint, reason = $reason WHERE ";
        _deliverRun = connection.Prepare(
            Deliver + "server = $server AND message BETWEEN $first AND $last AND state = 'pending'", "$first", "$last", "$server", "$at", "$endpoint", "$reason");
        _deliverNamed = connection.Prepare(
            Deliver + "message IN (SELECT value FROM json_each($numbers)) AND server = $server AND state = 'pending'", "$numbers", "$server", "$at", "$endpoint", "$reason");
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
