using System.Text;
using System.Text.Json;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary>The command lines of <c>add</c> that <c>python -m quickq</c> takes in the same way (<c>tests/vectors/command-lines.json</c>).</summary>
public sealed class CommandLineVectorTests : IDisposable
{
    private readonly TempSpool _spool = new() { MustBeSound = false };

    public static TheoryData<string> Names => [.. ReadVectors().Select(vector => vector.GetProperty("name").GetString()!)];

    public void Dispose() => _spool.Dispose();

    [Theory(Timeout = 120_000)]
    [MemberData(nameof(Names))]
    public async Task A_command_line_does_what_the_vector_says(string name)
    {
        var vector = ReadVectors().Single(candidate => string.Equals(candidate.GetProperty("name").GetString(), name, StringComparison.Ordinal));
        var arguments = vector.GetProperty("arguments").EnumerateArray().Select(argument => argument.GetString()!);
        var stdin = vector.TryGetProperty("stdin", out var given) ? given.GetString()! : "";

        var result = await new SpoolCommand(_spool).RunWithInputAsync(Encoding.UTF8.GetBytes(stdin), ["add", .. arguments]);

        Assert.Equal(vector.TryGetProperty("code", out var code) ? code.GetInt32() : 0, result.ExitCode);
        if (vector.TryGetProperty("says", out var says))
        {
            Assert.Contains(says.GetString()!, result.Stderr, StringComparison.Ordinal);
        }
        else
        {
            Assert.Equal("", result.Stderr);
        }

        var stored = _spool.Messages() == 0 ? [] : ReadRows();
        Assert.Equal(stored.Select(row => row.Id), result.Stdout.Split('\n', StringSplitOptions.RemoveEmptyEntries), StringComparer.Ordinal);
        Assert.Equal(vector.GetProperty("rows").EnumerateArray().Select(Normalize), stored.Select(row => row.Content), StringComparer.Ordinal);
    }

    private static IEnumerable<JsonElement> ReadVectors()
    {
        using var document = JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "vectors", "command-lines.json")));
        return document.RootElement.Clone().GetProperty("commands").EnumerateArray();
    }

    private static string Normalize(JsonElement row) => Describe(
        row.GetProperty("exchange").GetString(),
        row.GetProperty("routing_key").GetString()!,
        row.GetProperty("properties"),
        row.GetProperty("body").GetString()!,
        row.TryGetProperty("lifetime", out var lifetime) ? lifetime.GetInt64() : null);

    private static string Describe(string? exchange, string key, JsonElement properties, string body, long? lifetime) =>
        $"{exchange ?? "null"} '{key}' {string.Join(' ', properties.EnumerateObject().OrderBy(one => one.Name, StringComparer.Ordinal).Select(one => $"{one.Name}={Compact(one.Value)}"))} {lifetime} {body}";

    private static string Compact(JsonElement value) => JsonSerializer.Serialize(value);

    private List<StoredMessage> ReadRows() =>
    [
        .. _spool.Query<Row>(
            """
            SELECT id AS Id, exchange AS Exchange, routing_key AS RoutingKey, properties AS Properties, body AS Body, expires_at - created_at AS Lifetime
            FROM message ORDER BY seq
            """).Select(row => new StoredMessage(
                row.Id, Describe(row.Exchange, row.RoutingKey, JsonElement.Parse(row.Properties), Encoding.UTF8.GetString(row.Body), row.Lifetime))),
    ];

    private sealed record StoredMessage(string Id, string Content);

    private sealed class Row
    {
        public string Id { get; init; } = "";

        public string? Exchange { get; init; }

        public string RoutingKey { get; init; } = "";

        public string Properties { get; init; } = "";

        public byte[] Body { get; init; } = [];

        public long? Lifetime { get; init; }
    }
}
