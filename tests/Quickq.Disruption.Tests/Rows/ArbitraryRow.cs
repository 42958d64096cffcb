using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>Draws a statement that writes any value into any column of any table, as a program that knows nothing of Quickq would.</summary>
/// <remarks>
/// Not touched is what makes a spool another spool: the numbers of its format, which servers it has and which of them are active or paused, and the sequence
/// numbers, which SQLite gives: after the largest there is no other.
/// </remarks>
internal static class ArbitraryRow
{
    private static readonly string[] MessageColumns = ["id", "exchange", "routing_key", "properties", "expires_at", "created_at"];

    private static readonly string[] ServerColumns =
        ["connection", "since", "endpoint", "last_error", "last_error_at", "rewind", "rate", "rate_at", "pending", "deferred", "held", "rejected", "delivered", "expired", "cancelled", "unrouted"];

    private static readonly string[] DeliveryColumns = ["state", "attempts", "next_attempt_at", "settled_at", "endpoint", "reason"];

    private static readonly string[] Properties =
    [
        "'{}'", "'{\"contentType\":1}'", "'{\"priority\":256}'", "'{\"priority\":-1}'", "'{\"transient\":\"yes\"}'", "'{\"headers\":[]}'", "'{\"headers\":{\"a\":{}}}'", "'{\"headers\":{\"a\":1e400}}'",
        "'{\"headers\":{\"a\":9223372036854775807,\"b\":1.5,\"c\":null,\"d\":true}}'", "'{\"headers\":{\"\":\"\"}}'", "'{\"headers\":{\"' || hex(zeroblob(200)) || '\":1}}'",
        "'{\"headers\":{\"a\":\"' || hex(zeroblob(80000)) || '\"}}'", "'{\"contentType\":\"' || hex(zeroblob(200)) || '\"}'", "'{\"contentType\":\"\\ud800\"}'", "'[' || '['", "'null'", "'\"text\"'", "''",
    ];

    private static readonly string[] Values =
    [
        "NULL", "0", "1", "-1", "9223372036854775807", "-9223372036854775807", "1790000000000000000", "253402300800000000", "1.5", "-0.0", "1e308", "-1e308", "9e999", "-9e999", "''", "'abc'", "'12'", "'1e3'",
        "'9223372036854775808'", "x''", "x'00'", "x'ff'", "x'6f6464'", "CAST(x'61006200' AS TEXT)", "CAST(x'fffe80' AS TEXT)", "CAST(x'eda080' AS TEXT)", "char(8238)", "char(27) || '[31m'", "char(10)",
        "hex(zeroblob(130))", "zeroblob(1000)", "zeroblob(300000)", "hex(zeroblob(200000))", "randomblob(17)", "'pending'", "'delivered'", "'deferred'", "'rejected'", "'connected'", "'odd'",
    ];

    public static string Statement() => Some.Number(1, 20) switch
    {
        <= 12 => Message(),
        13 => $"UPDATE server SET {One(ServerColumns)} = {One(Values)} WHERE name = 'mq1'",
        14 => $"UPDATE tally SET value = {One(Values)} WHERE name = '{One(["removed", "unassigned"])}'",
        15 => $"INSERT INTO delivery (message, server, {One(DeliveryColumns)}) VALUES ({One(Values)}, {One([.. Values, "(SELECT id FROM server WHERE name = 'mq1')"])}, {One(Values)})",
        16 or 17 => $"UPDATE delivery SET {One(DeliveryColumns)} = {One(Values)} WHERE message = (SELECT message FROM delivery ORDER BY random() LIMIT 1)",
        18 => $"INSERT INTO suspension (server, exchange, reason, since, next_probe_at) VALUES ((SELECT id FROM server WHERE name = 'mq1'), {One(Values)}, {One(Values)}, {One(Values)}, {One(Values)})",
        19 => $"INSERT INTO unassigned (message) VALUES ({One([.. Values, "(SELECT message FROM delivery ORDER BY random() LIMIT 1)"])})",
        _ => $"INSERT OR REPLACE INTO setting (name, value) VALUES ({One(["'maxSize'", "'maxMessageSize'", "'minFreeDisk'", "'reserveMissing'", "'unknown'", "x'00'"])}, {One(Values)})",
    };

    private static string Message()
    {
        string[] columns = [.. MessageColumns.Where(_ => Some.Number(1, 4) == 1), "body"];
        return $"INSERT INTO message ({string.Join(", ", columns)}) VALUES ({string.Join(", ", columns.Select(ValueFor))})";
    }

    private static string ValueFor(string column) => column switch
    {
        "properties" when Some.Number(1, 2) == 1 => One(Properties),
        // Each exchange that is not there is suspended for itself: a few of them.
        "exchange" => One(["NULL", "'odd'", "''", "x'6f6464'", "'missing'", "CAST(x'ff' AS TEXT)"]),
        _ => One(Values),
    };

    private static string One(string[] values) => values[Some.Number(0, values.Length - 1)];
}
