using Microsoft.Data.Sqlite;
using Quickq.Agent.Forwarding;
using Quickq.Spool;

namespace Quickq.Agent.Ledger;

/// <summary>Writes settlements inside the ledger's transaction, and the counters of the server with them.</summary>
/// <remarks>
/// Goes by sequence number, and only to rows that are still there. A confirm always wins: a message that an operator held or cancelled while it was
/// in flight becomes delivered. The statements are prepared once: this is the hottest SQL of the agent.
/// </remarks>
internal sealed class SettlementWriter(RetrySchedule refusals)
{
    private SqliteConnection? _preparedFor;
    private SqliteCommand _settlePending = null!;
    private SqliteCommand _selectState = null!;
    private SqliteCommand _selectAttempts = null!;
    private SqliteCommand _settleOther = null!;

    /// <summary>Set when a message was deferred.</summary>
    public Wakeup Deferred { get; } = new();

    /// <summary>Writes one batch; returns how many messages were newly delivered.</summary>
    public int Write_NeedsTransaction(SqliteConnection connection, SettlementBatch batch)
    {
        Prepare(connection);
        var change = new BacklogChange();
        foreach (Settlement settlement in batch.Settlements)
        {
            Bind(_settlePending, batch, settlement);
            if (_settlePending.ExecuteNonQuery() == 1)
            {
                change.Move(DeliveryState.Pending, settlement.State);
            }
            else if (!SettleOther_NeedsTransaction(batch, settlement, change))
            {
                continue; // removed meanwhile, or delivered before: nothing to count
            }

            change.Unrouted += settlement.Unrouted ? 1 : 0;
        }

        change.Write_NeedsTransaction(connection, batch.Server);
        if (change.Deferred > 0)
        {
            Deferred.Set();
        }

        return change.Delivered;
    }

    private bool SettleOther_NeedsTransaction(SettlementBatch batch, in Settlement settlement, BacklogChange change)
    {
        _selectState.Parameters["$message"].Value = settlement.Seq;
        _selectState.Parameters["$server"].Value = batch.Server;
        if (_selectState.ExecuteScalar() is not string state || state is DeliveryState.Delivered)
        {
            return false;
        }

        // A refusal does not undo what an operator said meanwhile; a confirm does.
        if (settlement.State is not DeliveryState.Delivered)
        {
            return false;
        }

        Bind(_settleOther, batch, settlement);
        _settleOther.ExecuteNonQuery();
        change.Move(state, settlement.State);
        return true;
    }

    private void Bind(SqliteCommand command, SettlementBatch batch, in Settlement settlement)
    {
        SqliteParameterCollection parameters = command.Parameters;
        parameters[0].Value = settlement.Seq;
        parameters[1].Value = batch.Server;
        parameters[2].Value = settlement.State;
        parameters[3].Value = settlement.Attempted ? 1 : 0;
        parameters[4].Value = settlement.State is DeliveryState.Deferred ? DBNull.Value : settlement.At;
        parameters[5].Value = (object?)batch.Endpoint ?? DBNull.Value;
        parameters[6].Value = (object?)settlement.Reason ?? DBNull.Value;
        parameters[7].Value = settlement.State is DeliveryState.Deferred ? NextAttemptAt(batch, settlement) : DBNull.Value;
    }

    /// <summary>Refusals are rare: only then is it worth asking how many there were.</summary>
    private long NextAttemptAt(SettlementBatch batch, in Settlement settlement)
    {
        _selectAttempts.Parameters[0].Value = settlement.Seq;
        _selectAttempts.Parameters[1].Value = batch.Server;
        int failures = (int)Math.Min(int.MaxValue, _selectAttempts.ReadNumber() + 1);
        return settlement.At + (refusals.DelayAfter(failures).Ticks / TimeSpan.TicksPerMicrosecond);
    }

    private void Prepare(SqliteConnection connection)
    {
        if (ReferenceEquals(_preparedFor, connection))
        {
            return;
        }

        const string Settle =
            """
            UPDATE delivery SET state = $state, attempts = attempts + $attempt, settled_at = $at, endpoint = $endpoint, reason = $reason, next_attempt_at = $next
            WHERE message = $message AND server = $server
            """;
        ReadOnlySpan<string> names = ["$message", "$server", "$state", "$attempt", "$at", "$endpoint", "$reason", "$next"];
        _settlePending = connection.Prepare(Settle + " AND state = 'pending'", names);
        _settleOther = connection.Prepare(Settle, names);
        _selectState = connection.Prepare("SELECT state FROM delivery WHERE message = $message AND server = $server", "$message", "$server");
        _selectAttempts = connection.Prepare("SELECT attempts FROM delivery WHERE message = $message AND server = $server", "$message", "$server");
        _preparedFor = connection;
    }
}
