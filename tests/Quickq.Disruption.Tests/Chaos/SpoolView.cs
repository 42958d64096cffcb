using System.Text.Json;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>What tests ask the spool while the agent works: through quickq-spool where a user would, by SQL where it must be quick.</summary>
internal static class SpoolView
{
    /// <summary>One server's part of <c>status --json</c>; the agent must have made it known.</summary>
    public static async Task<JsonElement> StatusOfAsync(this TempSpool spool, string server) =>
        (await spool.StatusAsync()).GetProperty("servers").EnumerateArray().Single(item => string.Equals(item.GetProperty("name").GetString(), server, StringComparison.Ordinal));

    /// <summary>Waits until the agent has made its servers known to the spool.</summary>
    public static Task AwaitServersAsync(this TempSpool spool, TimeSpan limit) =>
        Eventually.Is("the spool knows servers", limit, () => File.Exists(spool.Path) && spool.Value<long>("SELECT count(*) FROM server") > 0);

    /// <summary><c>status --json</c>.</summary>
    public static Task<JsonElement> StatusAsync(this TempSpool spool) => RunAsync(spool, "status", "--json");

    /// <summary>The deliveries of one message, of <c>status ID --json</c>.</summary>
    public static async Task<IReadOnlyList<JsonElement>> StatusOfMessageAsync(this TempSpool spool, string id) =>
        [.. (await RunAsync(spool, "status", id, "--json")).GetProperty("deliveries").EnumerateArray()];

    /// <summary>How many messages one server has confirmed, or of all servers together.</summary>
    public static long CountDelivered(this TempSpool spool, string? server = null) =>
        spool.Value<long>("SELECT coalesce(sum(delivered), 0) FROM server WHERE @server IS NULL OR name = @server", new { server });

    /// <summary>Waits until so many messages are delivered on each of these servers.</summary>
    public static Task AwaitDeliveredAsync(this TempSpool spool, long each, TimeSpan limit, params string[] servers) =>
        Task.WhenAll(servers.Select(server =>
            Eventually.Gives($"the spool says {each} delivered on {server}", each, limit, () => spool.CountDelivered(server))));

    private static async Task<JsonElement> RunAsync(TempSpool spool, params string[] arguments)
    {
        var result = (await new SpoolCommand(spool).RunAsync(arguments)).MustSucceed();
        using var json = JsonDocument.Parse(result.Stdout);
        return json.RootElement.Clone();
    }
}
