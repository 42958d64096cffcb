using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Quickq.Spool;

/// <summary>One-line forms of the statements that every room of the spool runs.</summary>
internal static class SqliteStatements
{
    /// <summary>Runs a statement; returns how many rows it changed.</summary>
    public static int Execute(this SqliteConnection connection, string sql, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        using KeptStatement statement = connection.Statement(sql, parameters);
        return statement.Command.ExecuteNonQuery();
    }

    /// <summary>The first column of the first row as a whole number; 0 when it is NULL or there is no row.</summary>
    public static long ReadNumber(this SqliteConnection connection, string sql, params ReadOnlySpan<(string Name, object? Value)> parameters) =>
        connection.ReadNumberOrNull(sql, parameters) ?? 0;

    /// <summary>The same of what must be a whole number where there is a row.</summary>
    /// <exception cref="SqliteException">It is anything else: the database is damaged (<c>SQLITE_CORRUPT</c>).</exception>
    public static long RequireNumber(this SqliteConnection connection, string sql) =>
        connection.ReadRows(sql, static row => row.IsDBNull(0) ? 0 : row.RequireNumber(0)).FirstOrDefault();

    /// <summary>The first column of the first row as a whole number; null when it is NULL or there is no row.</summary>
    public static long? ReadNumberOrNull(this SqliteConnection connection, string sql, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        using KeptStatement statement = connection.Statement(sql, parameters);
        return statement.Command.ReadNumberOrNull();
    }

    /// <inheritdoc cref="ReadNumber(SqliteConnection, string, ReadOnlySpan{ValueTuple{string, object}})"/>
    public static long ReadNumber(this SqliteCommand command) => command.ReadNumberOrNull() ?? 0;

    /// <summary>All rows of a query, in its order.</summary>
    public static List<T> ReadRows<T>(
        this SqliteConnection connection, string sql, Func<SqliteDataReader, T> read, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        using KeptStatement statement = connection.Statement(sql, parameters);
        using SqliteDataReader row = statement.Command.ExecuteReader();
        var rows = new List<T>();
        while (row.Read())
        {
            rows.Add(read(row));
        }

        return rows;
    }

    /// <summary>Texts as one parameter, for <c>json_each</c>.</summary>
    public static string ToJsonList(this IEnumerable<string> texts) => new JsonArray([.. texts.Select(text => JsonValue.Create(text))]).ToJsonString();

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

    /// <summary>What a column holds as bytes; none where it is NULL.</summary>
    public static byte[] Bytes(this SqliteDataReader reader, int column) => reader.IsDBNull(column) ? [] : reader.GetFieldValue<byte[]>(column);

    /// <summary>A column that must hold a whole number.</summary>
    /// <exception cref="SqliteException">It holds anything else: the database is damaged (<c>SQLITE_CORRUPT</c>).</exception>
    public static long RequireNumber(this SqliteDataReader reader, int column) => reader.GetValue(column) is long number ? number : throw NotANumber(reader.GetName(column));

    /// <summary>A column of whole numbers, or null. What is none is read as SQLite reads it: by its first digits, else 0.</summary>
    public static long? NumberOrNull(this SqliteDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetInt64(column);

    /// <summary>A column of microseconds since the epoch, or null.</summary>
    public static DateTimeOffset? TimeOrNull(this SqliteDataReader reader, int column) =>
        reader.IsDBNull(column) ? null : SpoolTime.FromMicroseconds(reader.GetInt64(column));

    private static KeptStatement Statement(this SqliteConnection connection, string sql, ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        SpoolConnection? keeper = connection as SpoolConnection;
        if (keeper?.Take(sql) is not { } command)
        {
            command = connection.CreateCommand();
            command.CommandText = sql;
        }

        if (command.Parameters.Count != parameters.Length)
        {
            command.Parameters.Clear();
            foreach ((string name, _) in parameters)
            {
                command.Parameters.Add(new SqliteParameter(name, DBNull.Value));
            }
        }

        for (int i = 0; i < parameters.Length; i++)
        {
            SqliteParameter parameter = command.Parameters[i];
            (parameter.ParameterName, parameter.Value) = (parameters[i].Name, parameters[i].Value ?? DBNull.Value);
        }

        return new KeptStatement(keeper, command);
    }

    /// <summary>A statement for one run; afterwards its connection keeps it prepared for the next one.</summary>
    private readonly struct KeptStatement(SpoolConnection? keeper, SqliteCommand command) : IDisposable
    {
        public SqliteCommand Command => command;

        public void Dispose()
        {
            if (keeper is null)
            {
                command.Dispose();
            }
            else
            {
                keeper.Keep(command);
            }
        }
    }

    private static long? ReadNumberOrNull(this SqliteCommand command) =>
        // As SQLite makes a number of whatever a foreign writer stored; it fails over none.
        ReadOne(command);

    private static long? ReadOne(SqliteCommand command)
    {
        using SqliteDataReader row = command.ExecuteReader();
        return row.Read() ? row.NumberOrNull(0) : null;
    }

    /// <summary>SQLite stores anything in any column; what counts or limits something and is no whole number is damage.</summary>
    private static SqliteException NotANumber(string what) => new($"not a whole number: {what}", raw.SQLITE_CORRUPT);
}
