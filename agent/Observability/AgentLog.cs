using Microsoft.Extensions.Logging;

namespace Quickq.Agent.Observability;

/// <summary>
/// What the agent logs about itself and its connections. One line for each change of a state, none for each message. Ids are unique and stay:
/// 1-99 the agent, 100-199 connections, 200-299 forwarding, 300-399 the spool (<see cref="ForwardingLog"/>, <see cref="UpkeepLog"/>, <see cref="DamageLog"/>).
/// </summary>
/// <remarks>
/// A class has its events in one file: of a class in several the generator puts the files in another order each time, and the programs of two builds differ.
/// </remarks>
internal static partial class AgentLog
{
    public const int LinesLeftOutId = 7;
    public const int ServerLinesLeftOutId = 8;

    [LoggerMessage(1, LogLevel.Information, "quickq-agent {Version} runs with {Config} on the spool {Spool}, pid {Pid}")]
    public static partial void Started(this ILogger log, string version, string config, string spool, int pid);

    [LoggerMessage(2, LogLevel.Information, "stopping on {Signal}")]
    public static partial void Stopping(this ILogger log, string signal);

    [LoggerMessage(3, LogLevel.Information, "stopped")]
    public static partial void Stopped(this ILogger log);

    [LoggerMessage(4, LogLevel.Warning, "{Note}")]
    public static partial void ConfigurationNote(this ILogger log, string note);

    [LoggerMessage(LinesLeftOutId, LogLevel.Warning, "{Count} more lines of the kind {Kind} were left out within {Delay}")]
    public static partial void LinesLeftOut(this ILogger log, long count, string kind, TimeSpan delay);

    [LoggerMessage(ServerLinesLeftOutId, LogLevel.Warning, "{Server}: {Count} more lines of the kind {Kind} were left out within {Delay}")]
    public static partial void ServerLinesLeftOut(this ILogger log, string server, long count, string kind, TimeSpan delay);

    [LoggerMessage(9, LogLevel.Warning, "{Count} log records were lost while the journal took none")]
    public static partial void JournalLost(this ILogger log, long count);

    [LoggerMessage(10, LogLevel.Critical, "no progress of {Who} for {Delay} ({Doing}): systemd's watchdog is no longer fed and will restart the agent")]
    public static partial void WatchdogStarves(this ILogger log, string who, TimeSpan delay, string doing);

    [LoggerMessage(11, LogLevel.Warning, "everything makes progress again, the watchdog is fed")]
    public static partial void WatchdogFedAgain(this ILogger log);

    [LoggerMessage(12, LogLevel.Critical, "the agent ends by a fault of its own")]
    public static partial void Fault(this ILogger log, Exception fault);

    [LoggerMessage(13, LogLevel.Warning, "{Count} lines were lost while nobody read standard error")]
    public static partial void LinesLost(this ILogger log, long count);

    [LoggerMessage(14, LogLevel.Warning, "the stop took too long: ending now; nothing is lost, what was in flight is sent again at the next start")]
    public static partial void StopTookTooLong(this ILogger log);

    [LoggerMessage(100, LogLevel.Information, "{Server}: connected to {Endpoint}")]
    public static partial void Connected(this ILogger log, string server, string endpoint);

    [LoggerMessage(101, LogLevel.Warning, "{Server}: cannot connect, tried again until it works: {Reason}")]
    public static partial void ConnectFailed(this ILogger log, string server, string reason);

    [LoggerMessage(102, LogLevel.Warning, "{Server}: connection to {Endpoint} lost: {Reason}")]
    public static partial void ConnectionLost(this ILogger log, string server, string endpoint, string reason);

    [LoggerMessage(103, LogLevel.Warning, "{Server}: blocked by the broker: {Reason}")]
    public static partial void Blocked(this ILogger log, string server, string reason);

    [LoggerMessage(104, LogLevel.Information, "{Server}: no longer blocked")]
    public static partial void Unblocked(this ILogger log, string server);

    [LoggerMessage(105, LogLevel.Information, "{Server}: disconnected")]
    public static partial void Disconnected(this ILogger log, string server);

    [LoggerMessage(120, LogLevel.Information, "{Server}: that connection broke a deadline and was given up, the {Count}. so far")]
    public static partial void GaveUp(this ILogger log, string server, int count);

    [LoggerMessage(121, LogLevel.Error, "{Server}: internal fault, the connection is closed; retrying")]
    public static partial void ServerFault(this ILogger log, string server, Exception fault);

    [LoggerMessage(106, LogLevel.Debug, "{Server}: next attempt to connect in {Seconds:0.0} s")]
    public static partial void NextAttempt(this ILogger log, string server, double seconds);
}
