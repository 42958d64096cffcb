using Microsoft.Extensions.Logging;

namespace Quickq.Agent.Observability;

/// <summary>What is said about a damaged spool.</summary>
internal static partial class DamageLog
{
    [LoggerMessage(350, LogLevel.Error, "the spool is damaged ({Finding}): what can be read of it is saved into a fresh one")]
    public static partial void SpoolDamaged(this ILogger log, string finding);

    [LoggerMessage(351, LogLevel.Error, "the damaged spool was replaced by a fresh one: {Saved} messages saved, {AtLeast}{Lost} lost, {Reset} deliveries unreadable and sent, perhaps again; the damaged files are {Aside}*")]
    public static partial void SpoolRepaired(this ILogger log, long saved, string atLeast, long lost, long reset, string aside);

    [LoggerMessage(352, LogLevel.Error, "the damaged spool cannot be repaired, tried again in {Delay}: {Reason} ({Hint})")]
    public static partial void RepairFailed(this ILogger log, string reason, string hint, TimeSpan delay);

    [LoggerMessage(353, LogLevel.Warning, "a full check of the spool found nothing damaged")]
    public static partial void SpoolFoundSound(this ILogger log);

    [LoggerMessage(354, LogLevel.Warning, "the check of the spool's file was given up after {Budget}; 'quickq-spool check' looks at all of it")]
    public static partial void CheckGaveUp(this ILogger log, TimeSpan budget);

    [LoggerMessage(355, LogLevel.Warning, "the spool's file could not be checked: {Reason}")]
    public static partial void CheckFailed(this ILogger log, string reason);

    [LoggerMessage(356, LogLevel.Warning, "a fresh spool has taken the place of the old one; the servers are made known to it")]
    public static partial void SpoolReplaced(this ILogger log);

    [LoggerMessage(357, LogLevel.Error, "the spool's file was gone while its log was there: a new spool was made, and the log is kept as {Aside}; messages that were accepted may be in it")]
    public static partial void OrphanLogKept(this ILogger log, string aside);
}
