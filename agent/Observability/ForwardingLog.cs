using Microsoft.Extensions.Logging;

namespace Quickq.Agent.Observability;

/// <summary>What forwarders and ledger say.</summary>
internal static partial class ForwardingLog
{
    [LoggerMessage(5, LogLevel.Information, "read {Config} again: {Count} servers")]
    public static partial void Reloaded(this ILogger log, string config, int count);

    [LoggerMessage(6, LogLevel.Error, "the changed configuration is not used, the agent goes on with the old one: {Reason}")]
    public static partial void ReloadRefused(this ILogger log, string reason);

    [LoggerMessage(109, LogLevel.Information, "{Server}: its forwarder stops, {Reason}")]
    public static partial void ServerStops(this ILogger log, string server, string reason);

    [LoggerMessage(110, LogLevel.Information, "{Server}: {Host} no longer leads to {Endpoint}; moves to its new address")]
    public static partial void AliasMoved(this ILogger log, string server, string host, string endpoint);

    [LoggerMessage(107, LogLevel.Information, "{Server}: paused by an operator")]
    public static partial void Paused(this ILogger log, string server);

    [LoggerMessage(108, LogLevel.Information, "{Server}: resumed by an operator")]
    public static partial void Resumed(this ILogger log, string server);

    [LoggerMessage(200, LogLevel.Information, "{Count} messages that no server was for are looked through: servers came, or take other exchanges")]
    public static partial void Assigning(this ILogger log, long count);

    [LoggerMessage(201, LogLevel.Information, "every message that no server was for is looked through")]
    public static partial void Assigned(this ILogger log);

    [LoggerMessage(202, LogLevel.Information, "{Server}: {Count} messages were in flight and are sent again")]
    public static partial void SendsAgain(this ILogger log, string server, int count);

    [LoggerMessage(210, LogLevel.Warning, "{Server}: exchange '{Exchange}' is suspended: {Reason}; its messages wait, one of them probes it from time to time")]
    public static partial void ExchangeSuspended(this ILogger log, string server, string exchange, string reason);

    [LoggerMessage(213, LogLevel.Debug, "{Server}: exchange '{Exchange}' is still suspended, next probe in {Seconds:0.0} s")]
    public static partial void NextProbe(this ILogger log, string server, string exchange, double seconds);

    [LoggerMessage(211, LogLevel.Information, "{Server}: exchange '{Exchange}' takes messages again")]
    public static partial void ExchangeResumed(this ILogger log, string server, string exchange);

    [LoggerMessage(214, LogLevel.Warning, "{Server}: routing key '{RoutingKey}' of exchange '{Exchange}' is suspended: {Reason}; its other messages wait, next attempt in {Seconds:0.0} s")]
    public static partial void KeySuspended(this ILogger log, string server, string routingKey, string exchange, string reason, double seconds);

    [LoggerMessage(215, LogLevel.Debug, "{Server}: routing key '{RoutingKey}' of exchange '{Exchange}': {Reason}; failed {Count} times in a row, next attempt in {Seconds:0.0} s")]
    public static partial void NextKeyProbe(this ILogger log, string server, string routingKey, string exchange, string reason, int count, double seconds);

    [LoggerMessage(216, LogLevel.Information, "{Server}: routing key '{RoutingKey}' of exchange '{Exchange}' is accepted again")]
    public static partial void KeyResumed(this ILogger log, string server, string routingKey, string exchange);

    [LoggerMessage(217, LogLevel.Warning, "{Server}: the broker closed the channel of exchange '{Exchange}': {Reason}; sending its messages one by one to find the one it does not accept")]
    public static partial void Isolating(this ILogger log, string server, string exchange, string reason);

    [LoggerMessage(218, LogLevel.Warning, "{Server}: the broker closed the connection twice with the same messages unconfirmed: {Reason}; sending one message at a time to find the one it does not accept")]
    public static partial void IsolatingConnection(this ILogger log, string server, string reason);

    [LoggerMessage(219, LogLevel.Warning, "{Server}: the broker grants no more than {Count} channels; exchanges take turns")]
    public static partial void ChannelsCapped(this ILogger log, string server, int count);

    [LoggerMessage(212, LogLevel.Warning, "{Server}: message {MessageId} is rejected: {Reason}")]
    public static partial void MessageRejected(this ILogger log, string server, string messageId, string reason);

    [LoggerMessage(300, LogLevel.Error, "the spool cannot be written, tried again until it works: {Reason}")]
    public static partial void LedgerMustWait(this ILogger log, string reason);

    [LoggerMessage(301, LogLevel.Information, "the spool can be written again")]
    public static partial void LedgerWorksAgain(this ILogger log);

    [LoggerMessage(302, LogLevel.Error, "the spool cannot be read, tried again until it works: {Reason}")]
    public static partial void FeedMustWait(this ILogger log, string reason);

    [LoggerMessage(303, LogLevel.Warning, "the spool's log could not be checkpointed: {Reason}")]
    public static partial void CheckpointFailed(this ILogger log, string reason);

    [LoggerMessage(304, LogLevel.Error, "a record for the status could not be written")]
    public static partial void RecordFailed(this ILogger log, Exception error);
}
