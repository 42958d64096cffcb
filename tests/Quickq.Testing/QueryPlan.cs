using Microsoft.Data.Sqlite;

namespace Quickq.Testing;

/// <summary>What SQLite would do for a statement, one step a line: <c>SEARCH</c> uses a key, <c>SCAN</c> reads everything.</summary>
public static class QueryPlan
{
    public static IReadOnlyList<string> Of(SqliteConnection connection, string sql)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "EXPLAIN QUERY PLAN " + sql;
        foreach (string word in sql.Split([' ', '\n', ',', '(', ')'], StringSplitOptions.RemoveEmptyEntries).Where(word => word[0] is '$' or '@').Distinct(StringComparer.Ordinal))
        {
            command.Parameters.AddWithValue(word, 1);
        }

        var steps = new List<string>();
        using SqliteDataReader row = command.ExecuteReader();
        while (row.Read())
        {
            steps.Add(row.GetString(3));
        }

        return steps;
    }
}
