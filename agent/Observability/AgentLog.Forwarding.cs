using Microsoft.Extensions.Logging;

namespace Quickq.Agent.Observability;

/// <summary>What the agent, its ledger and its forwarders log: one line for each change of state, none for a message.</summary>
internal static partial class AgentLog
{
    [LoggerMessage(2001, LogLevel.Information, "quickq-agent {Version} works on {Spool} (SQLite {Sqlite}), process {Pid}")]
    public static partial void Started(ILogger log, string version, string spool, string sqlite, int pid);

    [LoggerMessage(2002, LogLevel.Information, "Servers: {Servers}")]
    public static partial void ServersRegistered(ILogger log, string servers);

    [LoggerMessage(2003, LogLevel.Information, "{Count} messages accepted before any server was known are now assigned")]
    public static partial void Assigned(ILogger log, long count);

    [LoggerMessage(2004, LogLevel.Information, "Stopping: waits up to {Seconds} s for the confirms of what is in flight")]
    public static partial void Stopping(ILogger log, int seconds);

    [LoggerMessage(2005, LogLevel.Information, "Stopped")]
    public static partial void Stopped(ILogger log);

    [LoggerMessage(2006, LogLevel.Warning, "{Note}")]
    public static partial void ConfigurationNote(ILogger log, string note);

    [LoggerMessage(2010, LogLevel.Warning, "The spool cannot be written: {Trouble}. Tries again in {Seconds} s; deliveries go on until the window is full")]
    public static partial void LedgerMustWait(ILogger log, string trouble, string seconds);

    [LoggerMessage(2011, LogLevel.Warning, "The spool's log could not be checkpointed: {Trouble}")]
    public static partial void CheckpointFailed(ILogger log, string trouble);

    [LoggerMessage(2012, LogLevel.Warning, "The spool cannot be read: {Trouble}. Tries again in {Seconds} s")]
    public static partial void FeedMustWait(ILogger log, string trouble, string seconds);

    [LoggerMessage(2013, LogLevel.Error, "A record for the status could not be written")]
    public static partial void RecordFailed(ILogger log, Exception error);

    [LoggerMessage(2020, LogLevel.Information, "{Server}: connected to {Endpoint}")]
    public static partial void Connected(ILogger log, string server, string endpoint);

    [LoggerMessage(2021, LogLevel.Warning, "{Server}: {Reason}; tries again, at first in {Seconds} s")]
    public static partial void Unreachable(ILogger log, string server, string reason, string seconds);

    [LoggerMessage(2022, LogLevel.Warning, "{Server}: lost the connection to {Endpoint}: {Reason}; {InFlight} messages in flight will be sent again")]
    public static partial void ConnectionLost(ILogger log, string server, string endpoint, string reason, int inFlight);

    [LoggerMessage(2023, LogLevel.Warning, "{Server}: blocked by the broker: {Reason}")]
    public static partial void Blocked(ILogger log, string server, string reason);

    [LoggerMessage(2024, LogLevel.Information, "{Server}: no longer blocked")]
    public static partial void Unblocked(ILogger log, string server);

    [LoggerMessage(2025, LogLevel.Information, "{Server}: paused by an operator")]
    public static partial void Paused(ILogger log, string server);

    [LoggerMessage(2026, LogLevel.Information, "{Server}: resumed by an operator")]
    public static partial void Resumed(ILogger log, string server);

    [LoggerMessage(2030, LogLevel.Warning, "{Server}: exchange '{Exchange}' is suspended: {Reason}; its messages wait, the next probe is in {Seconds} s")]
    public static partial void LaneSuspended(ILogger log, string server, string exchange, string reason, string seconds);

    [LoggerMessage(2031, LogLevel.Information, "{Server}: exchange '{Exchange}' takes messages again")]
    public static partial void LaneResumed(ILogger log, string server, string exchange);

    [LoggerMessage(2032, LogLevel.Warning, "{Server}: message {MessageId} is {State}: {Reason}")]
    public static partial void MessageRefused(ILogger log, string server, string messageId, string state, string reason);
}
