using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Quickq.Spool;

/// <summary>One-line forms of the statements that every room of the spool runs.</summary>
internal static class SqliteStatements
{
    /// <summary>Runs a statement that returns nothing of interest.</summary>
    public static int Execute(this SqliteConnection connection, string sql)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteNonQuery();
    }

    /// <summary>The first column of the first row as a whole number; 0 when it is NULL or there is no row.</summary>
    public static long ReadNumber(this SqliteConnection connection, string sql)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ReadNumber();
    }

    /// <inheritdoc cref="ReadNumber(SqliteConnection, string)"/>
    public static long ReadNumber(this SqliteCommand command)
    {
        object? value = command.ExecuteScalar();
        return value is null or DBNull ? 0 : Convert.ToInt64(value, CultureInfo.InvariantCulture);
    }

    /// <summary>A prepared statement with its parameters named; values are set before each run.</summary>
    public static SqliteCommand Prepare(this SqliteConnection connection, string sql, params ReadOnlySpan<string> parameters)
    {
        SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (string name in parameters)
        {
            command.Parameters.Add(new SqliteParameter(name, DBNull.Value));
        }

        return command;
    }

    /// <summary>Sets a parameter; null is stored as NULL.</summary>
    public static SqliteCommand Set(this SqliteCommand command, string name, object? value)
    {
        command.Parameters[name].Value = value ?? DBNull.Value;
        return command;
    }

    /// <summary>A column of text, or null.</summary>
    public static string? TextOrNull(this SqliteDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetString(column);

    /// <summary>A column of microseconds since the epoch, or null.</summary>
    public static DateTimeOffset? TimeOrNull(this SqliteDataReader reader, int column) =>
        reader.IsDBNull(column) ? null : SpoolTime.FromMicroseconds(reader.GetInt64(column));
}
