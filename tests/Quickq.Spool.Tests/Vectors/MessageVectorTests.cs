using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using Quickq.Testing;

namespace Quickq.Spool.Tests.Vectors;

public sealed class MessageVectorTests : IDisposable
{
    private readonly TempSpool _spool = new();

    public static TheoryData<string> Stored => [.. VectorFile.Read("messages.json", "stored").Select(vector => vector.GetProperty("name").GetString()!)];

    public static TheoryData<string> Refused => [.. VectorFile.Read("messages.json", "refused").Select(vector => vector.GetProperty("name").GetString()!)];

    public void Dispose() => _spool.Dispose();

    [Theory]
    [MemberData(nameof(Stored))]
    public void A_message_is_stored_as_the_vector_says(string name)
    {
        var vector = Find("stored", name);
        Prepare(vector);

        string id = Append(vector.GetProperty("message"));

        var expected = vector.GetProperty("row");
        var row = ReadRow(id);
        Assert.Equal(expected.TextOrNull("id") ?? id, id);
        Assert.Equal(expected.TextOrNull("exchange"), row.Exchange);
        Assert.Equal(expected.TextOrNull("routing_key"), row.RoutingKey);
        Assert.True(JsonElement.DeepEquals(expected.GetProperty("properties"), JsonElement.Parse(row.Properties)), row.Properties);
        Assert.Equal(Body(expected), row.Body);
        Assert.Equal(expected.TryGetProperty("lifetime", out var lifetime) ? lifetime.GetInt64() : null, row.ExpiresAt - row.CreatedAt);
        if (vector.TryGetProperty("rows", out var rows))
        {
            Assert.Equal(rows.GetInt64(), CountMessages());
        }
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public void A_message_is_refused_as_the_vector_says_and_nothing_is_stored(string name)
    {
        var vector = Find("refused", name);
        Prepare(vector);
        long before = CountMessages();

        var refusal = Assert.Throws<SpoolException>(() => Append(vector.GetProperty("message")));

        Assert.Equal(vector.GetProperty("fault").GetString(), refusal.Fault.ToString());
        Assert.Matches(ErrorPattern.For(vector.GetProperty("error").GetString()!, _spool.Path), refusal.Message);
        Assert.Equal(before, CountMessages());
    }

    private static JsonElement Find(string list, string name) =>
        VectorFile.Read("messages.json", list).Single(vector => string.Equals(vector.GetProperty("name").GetString(), name, StringComparison.Ordinal));

    private static byte[] Body(JsonElement owner) =>
        owner.TryGetProperty("bodyBase64", out var encoded) ? encoded.GetBytesFromBase64() : Encoding.UTF8.GetBytes(owner.TextOrNull("body") ?? "");

    private static object? Header(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.Text(),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Null => null,
        JsonValueKind.Number when value.GetRawText().Contains('.', StringComparison.Ordinal) => value.GetDouble(),
        JsonValueKind.Number => value.GetInt64(),
        _ => value.GetRawText().ToCharArray(), // of a type that AMQP lacks
    };

    private string Append(JsonElement message)
    {
        using var writer = SpoolWriter.Open(_spool.Path);
        return writer.Append(new OutgoingMessage
        {
            Id = message.TextOrNull("id"),
            Exchange = message.TextOrNull("exchange"),
            RoutingKey = message.TextOrNull("routingKey") ?? "",
            Body = Body(message),
            TimeToLive = message.TryGetProperty("ttlSeconds", out var seconds) ? TimeSpan.FromSeconds(seconds.GetInt64()) : null,
            Properties = new MessageProperties
            {
                ContentType = message.TextOrNull("contentType"),
                Headers = message.TryGetProperty("headers", out var headers)
                    ? headers.EnumerateObject().ToDictionary(header => header.Name, header => Header(header.Value), StringComparer.Ordinal)
                    : null,
                Priority = message.TryGetProperty("priority", out var priority) ? priority.GetByte() : null,
                Transient = message.TryGetProperty("transient", out var transient) && transient.GetBoolean(),
            },
        });
    }

    private void Prepare(JsonElement vector)
    {
        SpoolWriter.Open(_spool.Path).Dispose();
        if (vector.TryGetProperty("before", out var before))
        {
            foreach (var message in before.EnumerateArray())
            {
                Append(message);
            }
        }

        using var connection = new SqliteConnection($"Data Source={_spool.Path};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "INSERT OR REPLACE INTO setting (name, value) VALUES ($name, $value)";
        if (vector.TryGetProperty("settings", out var settings))
        {
            foreach (var setting in settings.EnumerateObject())
            {
                command.Parameters.Clear();
                command.Parameters.AddWithValue("$name", setting.Name);
                command.Parameters.AddWithValue("$value", setting.Value.GetString());
                command.ExecuteNonQuery();
            }
        }

        if (vector.TryGetProperty("userVersion", out var version))
        {
            command.CommandText = string.Create(CultureInfo.InvariantCulture, $"PRAGMA user_version={version.GetInt32()}");
            command.ExecuteNonQuery();
        }
    }

    private StoredRow ReadRow(string id) => _spool.Query<StoredRow>(
        """
        SELECT exchange AS Exchange, routing_key AS RoutingKey, properties AS Properties, body AS Body, created_at AS CreatedAt, expires_at AS ExpiresAt
        FROM message WHERE id = $id
        """,
        new { id }).Single();

    private long CountMessages() => _spool.Value<long>("SELECT count(*) FROM message");

    private sealed class StoredRow
    {
        public string? Exchange { get; init; }

        public string RoutingKey { get; init; } = "";

        public string Properties { get; init; } = "";

        public byte[] Body { get; init; } = [];

        public long CreatedAt { get; init; }

        public long? ExpiresAt { get; init; }
    }
}
