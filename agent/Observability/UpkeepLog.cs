using Microsoft.Extensions.Logging;

namespace Quickq.Agent.Observability;

/// <summary>What the upkeep of the spool says: 320-339.</summary>
internal static partial class UpkeepLog
{
    [LoggerMessage(320, LogLevel.Warning, "room is short ({Reason}): the oldest settled messages are removed before their retention is over")]
    public static partial void RemovesEarly(this ILogger log, string reason);

    [LoggerMessage(321, LogLevel.Information, "there is room again: settled messages are kept for their retention")]
    public static partial void KeepsAgain(this ILogger log);

    [LoggerMessage(322, LogLevel.Warning, "room is short ({Reason}), and no settled message is left to be removed: what waits for the servers takes it")]
    public static partial void NothingToRemove(this ILogger log, string reason);

    [LoggerMessage(323, LogLevel.Error, "the disk is full; the agent gives up its reserve of {Size} to go on delivering, and new messages are refused: {Reason}")]
    public static partial void ReserveGivenUp(this ILogger log, string size, string reason);

    [LoggerMessage(324, LogLevel.Information, "there is room on the disk again: the reserve of {Size} is kept")]
    public static partial void ReserveMade(this ILogger log, string size);

    [LoggerMessage(325, LogLevel.Warning, "a reserve of {Size} for a full disk cannot be made now, tried again until it can: {Reason}")]
    public static partial void ReserveMissing(this ILogger log, string size, string reason);

    [LoggerMessage(326, LogLevel.Error, "the spool could not be written before the end; what was settled last is sent again at the next start: {Reason}")]
    public static partial void LedgerGaveUp(this ILogger log, string reason);

    [LoggerMessage(327, LogLevel.Error, "upkeep of the spool must wait, tried again until it works: {Reason}")]
    public static partial void UpkeepMustWait(this ILogger log, string reason);

    [LoggerMessage(328, LogLevel.Warning, "the clock was set {Direction} by {Delay}: for five minutes no message expires")]
    public static partial void ClockSet(this ILogger log, string direction, TimeSpan delay);

    [LoggerMessage(329, LogLevel.Information, "five minutes since the clock was set: messages expire again")]
    public static partial void ExpiresAgain(this ILogger log);

    [LoggerMessage(331, LogLevel.Warning, "{Reason}; hint: {Hint}")]
    public static partial void FolderLoose(this ILogger log, string reason, string? hint);

    [LoggerMessage(332, LogLevel.Information, "only its owner may write the folder {Folder} again")]
    public static partial void FolderTight(this ILogger log, string folder);

    [LoggerMessage(330, LogLevel.Critical, "upkeep of the spool ends by a fault of its own, in what {Doing}; the agent ends with it")]
    public static partial void UpkeepFault(this ILogger log, string doing);
}
