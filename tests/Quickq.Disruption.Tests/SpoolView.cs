using System.Text.Json;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>What tests ask the spool while the agent works: through quickq-spool where a user would, by SQL where it must be quick.</summary>
internal static class SpoolView
{
    /// <summary>One server's part of <c>status --json</c>.</summary>
    public static async Task<JsonElement> StatusOfAsync(this TempSpool spool, string server) =>
        (await spool.StatusAsync()).GetProperty("servers").EnumerateArray().Single(item => string.Equals(item.GetProperty("name").GetString(), server, StringComparison.Ordinal));

    /// <summary><c>status --json</c>.</summary>
    public static async Task<JsonElement> StatusAsync(this TempSpool spool)
    {
        var result = (await new SpoolCommand(spool).RunAsync("status", "--json")).MustSucceed();
        using var json = JsonDocument.Parse(result.Stdout);
        return json.RootElement.Clone();
    }

    /// <summary>How many messages one server has confirmed, or of all servers together.</summary>
    public static long CountDelivered(this TempSpool spool, string? server = null) =>
        spool.Value<long>("SELECT coalesce(sum(delivered), 0) FROM server WHERE @server IS NULL OR name = @server", new { server });

    /// <summary>Waits until so many messages are delivered on each of these servers.</summary>
    public static Task AwaitDeliveredAsync(this TempSpool spool, long each, TimeSpan limit, params string[] servers) =>
        Task.WhenAll(servers.Select(server =>
            Eventually.Gives($"the spool says {each} delivered on {server}", each, limit, () => spool.CountDelivered(server))));
}
