namespace Quickq.Spool;

/// <summary>What was saved from a damaged spool.</summary>
/// <param name="MessagesSaved">Messages that the fresh spool holds, each whole.</param>
/// <param name="MessagesLost">Messages that could not be read.</param>
/// <param name="LostIsExact">False: there may be more than <paramref name="MessagesLost"/>; what counts them is damaged too.</param>
/// <param name="DeliveriesSaved">What became of them at the servers, as far as it could be read.</param>
/// <param name="DeliveriesReset">Unreadable ones: these messages are sent to these servers, perhaps again.</param>
/// <param name="Aside">Where the damaged file is now; its log has the same name with <c>-wal</c>.</param>
public sealed record RepairReport(long MessagesSaved, long MessagesLost, bool LostIsExact, long DeliveriesSaved, long DeliveriesReset, string Aside);
