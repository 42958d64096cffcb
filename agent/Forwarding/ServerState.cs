using Quickq.Agent.Broker;
using Quickq.Agent.Ledger;
using Quickq.Agent.Observability;
using Quickq.Agent.Settings;
using Quickq.Spool;

namespace Quickq.Agent.Forwarding;

/// <summary>The state of one server's connection: logs each change and has it written to the spool. Any thread.</summary>
/// <remarks>A server that changes its state quicker than the ledger writes makes no queue there: only the latest state is written.</remarks>
internal sealed class ServerState(ServerSettings settings, ForwarderParts parts)
{
    private readonly Lock _gate = new();

    // Guarded by the gate.
    private string _forwarding = "";
    private string _reported = "";
    private string? _reportedError;
    private ConnectionRecord? _unwritten, _written;

    /// <summary>Whether an operator's pause was seen.</summary>
    public bool IsPaused
    {
        get
        {
            lock (_gate)
            {
                return _forwarding is "paused";
            }
        }
    }

    /// <summary>Whether this is another error than the one reported last.</summary>
    public bool IsNews(string error)
    {
        lock (_gate)
        {
            return !string.Equals(error, _reportedError, StringComparison.Ordinal);
        }
    }

    /// <summary>What an open connection does now: <c>connected</c>, <c>paused</c> or <c>blocked</c>, with the broker's reason.</summary>
    public void Set(string state, BrokerConnection connection, string? reason = null)
    {
        lock (_gate)
        {
            if (connection.Lost.IsCompleted || (state is "blocked" && _forwarding is "paused"))
            {
                return; // the forwarder says what became of it; a pause is the stronger word
            }

            if (state is "connected" && connection.BlockedReason is { } blocked)
            {
                (state, reason) = ("blocked", blocked); // just now
            }

            if (!string.Equals(state, _forwarding, StringComparison.Ordinal))
            {
                LogChange_NeedsLock(state, reason);
                _forwarding = state;
            }

            Report_NeedsLock(state, connection.Endpoint, reason is null ? null : $"{state} by the broker: {reason}");
        }
    }

    /// <summary>There is no connection, or none any more; null leaves the last error as it is.</summary>
    public void Report(string state, string? error = null)
    {
        lock (_gate)
        {
            Report_NeedsLock(state, endpoint: null, error);
        }
    }

    private void LogChange_NeedsLock(string state, string? reason)
    {
        switch (state, _forwarding)
        {
            case ("blocked", _): parts.Log.Blocked(settings.Name, reason ?? ""); break;
            case ("paused", _): parts.Log.Paused(settings.Name); break;
            case (_, "blocked"): parts.Log.Unblocked(settings.Name); break;
            case (_, "paused"): parts.Log.Resumed(settings.Name); break;
            default: break; // connected: said when the connection was made
        }
    }

    private void Report_NeedsLock(string state, string? endpoint, string? error)
    {
        string now = $"{state} {endpoint}";
        if (string.Equals(now, _reported, StringComparison.Ordinal) && (error is null || string.Equals(error, _reportedError, StringComparison.Ordinal)))
        {
            return;
        }

        (_reported, _reportedError) = (now, error ?? _reportedError);
        string? text = error is null ? _unwritten?.Error : EventText.WithoutPasswords(error);
        bool posted = _unwritten is not null;
        _unwritten = new ConnectionRecord(parts.ServerId, state, endpoint, parts.Clock.NowMicroseconds(), text);
        if (!posted)
        {
            parts.Ledger.Post(connection => TakeLatest().Write_NeedsTransaction(connection));
        }
    }

    /// <summary>The one of before again, should the transaction have failed at first.</summary>
    private ConnectionRecord TakeLatest()
    {
        lock (_gate)
        {
            (_written, _unwritten) = (_unwritten ?? _written, null);
            return _written!;
        }
    }
}
