using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Quickq.Spool.Operate;

/// <summary>One row of <c>operation</c>: made with the first change of a command, in the same transaction, and counted up with each further one.</summary>
internal sealed class OperationRecord(OperationSource source, string command, TimeProvider clock)
{
    /// <summary>So many are kept, and for so long.</summary>
    public const int MostKept = 10_000;

    private const long KeptFor = 90L * 86_400 * 1_000_000; // microseconds
    private const int LongestFilter = 1_000, LongestName = 255;

    private long? _id;

    /// <summary>So much was changed in this transaction; nothing is recorded for nothing.</summary>
    public void Add_NeedsTransaction(SqliteConnection connection, long count)
    {
        if (count == 0)
        {
            return;
        }

        if (_id is { } id && connection.Execute("UPDATE operation SET count = count + $count WHERE id = $id", ("$count", count), ("$id", id)) == 1)
        {
            return;
        }

        long now = clock.NowMicroseconds();
        connection.Execute(
            "INSERT INTO operation (at, uid, name, command, filter, count) VALUES ($at, $uid, $name, $command, $filter, $count)",
            ("$at", now), ("$uid", (long)source.Uid), ("$name", Cut(source.Name, LongestName)), ("$command", command), ("$filter", Cut(source.Filter, LongestFilter)), ("$count", count));
        _id = connection.ReadNumber("SELECT last_insert_rowid()");
        connection.Execute(
            string.Create(CultureInfo.InvariantCulture, $"DELETE FROM operation WHERE id <= $id - {MostKept} OR at < $oldest"), ("$id", _id), ("$oldest", now - KeptFor));
    }

    private static string? Cut(string? text, int length) => text?.Length > length ? text[..length] : text;
}
