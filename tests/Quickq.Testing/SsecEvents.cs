using System.Text;
using System.Text.Json;

namespace Quickq.Testing;

/// <summary>2,000 events of the SSEC as a consumer captured them: each line is the payload, its topic in __topic__.</summary>
public static class SsecEvents
{
    private static readonly Lazy<IReadOnlyList<SsecEvent>> Events = new(Read);

    /// <summary>The file, one event a line.</summary>
    public static string FilePath { get; } = Path.Combine(AppContext.BaseDirectory, "data", "ssec-events.ndjson");

    public static IReadOnlyList<SsecEvent> All => Events.Value;

    private static IReadOnlyList<SsecEvent> Read() => [.. File.ReadLines(FilePath).Select(Parse)];

    private static SsecEvent Parse(string line)
    {
        using var json = JsonDocument.Parse(line);
        return new SsecEvent(json.RootElement.GetProperty("__topic__").GetString()!, Encoding.UTF8.GetBytes(line));
    }
}
