using Quickq.Spool;

namespace Quickq.SpoolCli.Output;

/// <summary>What a repair did, for a person.</summary>
internal static class RepairText
{
    public static string Of(RepairReport? report) => report is null
        ? "the spool is sound: nothing was changed"
        : $"saved {Printable.Count(report.MessagesSaved, "message")} and {Printable.Count(report.DeliveriesSaved)} of their deliveries into a fresh spool, "
            + $"lost {(report.LostIsExact ? "" : "at least ")}{Printable.Count(report.MessagesLost)}{(report.LostIsExact ? "" : " (what counts them is damaged, or disagrees)")}"
            + (report.DeliveriesReset > 0 ? $"; {Printable.Count(report.DeliveriesReset)} deliveries could not be read: these messages are sent, perhaps again" : "")
            + $"; the damaged files are {report.Aside}*";
}
