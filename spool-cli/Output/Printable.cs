using System.Globalization;

namespace Quickq.SpoolCli.Output;

/// <summary>Writes numbers as people read them.</summary>
internal static class Printable
{
    /// <summary>A count with separators: <c>1,234</c>.</summary>
    public static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A count of things: <c>1 message</c>, <c>2 messages</c>.</summary>
    public static string Count(long count, string thing) => $"{Count(count)} {thing}{(count == 1 ? "" : "s")}";

    /// <summary>A count of things with a plural of their own: <c>1 delivery</c>, <c>2 deliveries</c>.</summary>
    public static string Count(long count, string one, string many) => $"{Count(count)} {(count == 1 ? one : many)}";
}
