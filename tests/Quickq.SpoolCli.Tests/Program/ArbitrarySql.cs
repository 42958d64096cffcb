using System.Globalization;
using System.Text;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary>Statements that store arbitrary values in a spool.</summary>
internal static class ArbitrarySql
{
    private static readonly Dictionary<string, string[]> Columns = new(StringComparer.Ordinal)
    {
        ["message"] = ["seq", "id", "exchange", "routing_key", "properties", "expires_at", "created_at", "body"],
        ["delivery"] = ["message", "server", "state", "attempts", "next_attempt_at", "settled_at", "endpoint", "reason"],
        ["server"] =
        [
            "name", "active", "paused", "connection", "since", "endpoint", "exchange", "last_error", "last_error_at", "rewind", "rate", "rate_at",
            "pending", "deferred", "held", "rejected", "delivered", "expired", "cancelled", "unrouted",
        ],
        ["tally"] = ["name", "value"],
        ["setting"] = ["name", "value"],
        ["suspension"] = ["server", "exchange", "reason", "since", "next_probe_at"],
        ["unassigned"] = ["message"],
    };

    /// <summary>A message with arbitrary values in some of its columns; nearly always with a number that the spool gives.</summary>
    public static string Message()
    {
        List<string> columns = [.. Columns["message"][1..].Where(column => column is "body" || Some.Number(0, 3) == 0)];
        if (Some.Number(0, 30) == 0)
        {
            columns.Add("seq");
        }

        return Insert("message", columns);
    }

    public static string Insert(string table) => Insert(table, Columns[table]);

    /// <summary>One column of one row.</summary>
    public static string Update(string table)
    {
        string column = Some.Of(Columns[table]);
        string key = table switch
        {
            "delivery" or "unassigned" => "message = (SELECT message FROM delivery ORDER BY random() LIMIT 1)",
            "server" => "id = abs(random() % 3) + 1",
            _ => "rowid = 1",
        };
        return table is "tally" or "setting" or "suspension"
            ? $"UPDATE {table} SET {column} = {Value(column)} WHERE {Columns[table][0]} = (SELECT {Columns[table][0]} FROM {table} ORDER BY random() LIMIT 1)"
            : $"UPDATE {table} SET {column} = {Value(column)} WHERE {key}";
    }

    private static string Insert(string table, IEnumerable<string> columns) =>
        $"INSERT INTO {table} ({string.Join(", ", columns)}) VALUES ({string.Join(", ", columns.Select(Value))})";

    /// <summary>A literal: half of the time of the kind that the column is for, or nearly.</summary>
    private static string Value(string column) => Some.Number(0, 1) == 0 ? Any() : column switch
    {
        "properties" => Text(Some.Of("{}", "not JSON", "[]", "null", "{\"headers\":{\"a\":1e999}}", "{\"headers\":[]}", "{\"headers\":{\"a\":[1]}}", "{\"priority\":256}", "{\"contentType\":1}", "{\"headers\":{\"\\ud800\":\"\\udfff\"}}", "{\"transient\":\"yes\"}", new string('[', 2000))),
        "state" => Text(Some.Of("pending", "deferred", "delivered", "rejected", "held", "expired", "cancelled", "lost")),
        "connection" => Text(Some.Of("connected", "blocked", "paused", "away")),
        "id" => Text("id-" + Some.Word()),
        "name" => Text(Some.Of("maxSize", "maxMessageSize", "minFreeDisk", "reserveMissing", "oldestWriter", "removed", "unassigned", "repairedAt", "mq9")),
        "server" => Number(Some.Number(1, 4)),
        "message" => Number(Some.Number(1, 50)),
        "value" => Some.Number(0, 1) == 0 ? Text(Integer().ToString(CultureInfo.InvariantCulture)) : Number(Integer()),
        "routing_key" or "exchange" or "endpoint" or "reason" or "last_error" or "body" => AnyText(),
        _ => Number(Integer()),
    };

    private static string Any() => Some.Number(0, 4) switch
    {
        0 => "NULL",
        1 => Number(Integer()),
        2 => Some.Of("0.5", "-1.5", "1e300", "-1e300", "9e999", "-9e999", "1e18", "9.3e18", "5e-324"),
        3 => AnyText(),
        _ => $"x'{Convert.ToHexString(Some.Bytes(Some.Of(0, 1, 3, 200, 3000)))}'",
    };

    private static long Integer() => Some.Number(0, 3) switch
    {
        0 => Some.Number(-5, 5),
        1 => Some.Of(long.MaxValue, long.MinValue, long.MaxValue - 1, int.MaxValue, int.MinValue, 1L << 53, 253_402_300_799_999_999, 253_402_300_800_000_000, -62_135_596_800_000_001),
        2 => 1_790_000_000_000_000 + Some.Number(-1_000_000, 1_000_000),
        _ => (1_790_000_000_000_000 + Some.Number(0, 1_000_000)) * 1000, // nanoseconds by mistake
    };

    private static string AnyText() => Some.Number(0, 8) switch
    {
        0 => "''",
        1 => Text(Integer().ToString(CultureInfo.InvariantCulture)),
        2 => Text(Some.Of("1e999", "0x10", " 42 ", "42abc", "NaN", "Infinity", "true", "١٢")),
        3 => "CAST(x'FF41' AS TEXT)",
        4 => "CAST(x'41004200' AS TEXT)",
        5 => "CAST(x'EDA080' AS TEXT)",
        6 => Text("\e]0;x\a\u202E\u2028\u200B\U000E0041"),
        7 => Text(new string('é', Some.Of(100, 127, 128, 500))),
        _ => Text(Some.Word()),
    };

    private static string Number(long number) => number == long.MinValue ? "(-9223372036854775807 - 1)" : number.ToString(CultureInfo.InvariantCulture);

    /// <summary>By its bytes: the statement itself must not end at a zero byte or a quote.</summary>
    private static string Text(string text) => $"CAST(x'{Convert.ToHexString(Encoding.UTF8.GetBytes(text))}' AS TEXT)";
}
